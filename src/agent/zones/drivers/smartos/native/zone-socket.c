/*
 * A socket that programs in a zone can connect to and that is served from outside. It must be bound by a process inside
 * the zone: so a child enters it, binds there, where symbolic links of the zone lead nowhere but into the zone, and
 * passes the descriptor back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "descriptors.h"
#include "helper.h"

#define BACKLOG 511

#ifdef __sun
#include <fcntl.h>
#include <libcontract.h>
#include <sys/contract/process.h>
#include <sys/ctfs.h>
#include <zone.h>

/* Who enters a zone must be alone in its process contract, which the next fork makes when asked by this template. */
static int open_template(void) {
  int template = open(CTFS_ROOT "/process/template", O_RDWR);
  if (template < 0) return -1;
  int failed = ct_tmpl_set_critical(template, 0) || ct_tmpl_set_informative(template, 0) ||
               ct_pr_tmpl_set_fatal(template, CT_PR_EV_HWERR) || ct_pr_tmpl_set_param(template, CT_PR_PGRPONLY) ||
               ct_tmpl_activate(template);
  if (failed) {
    close(template);
    return -1;
  }
  return template;
}

static void close_template(int template) {
  ct_tmpl_clear(template);
  close(template);
}

static int enter_zone(const char *zone) {
  if (*zone == '\0') return 0;
  zoneid_t id = getzoneidbyname(zone);
  return id < 0 ? -1 : zone_enter(id);
}

#else

static int open_template(void) { return 0; }
static void close_template(int template) { (void)template; }
static int enter_zone(const char *zone) {
  if (*zone == '\0') return 0;
  errno = ENOSYS;
  return -1;
}

#endif

/* In the child. */
static int bind_inside(const char *zone, const char *path, int back) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return complain(path);
  }
  strcpy(address.sun_path, path);
  if (enter_zone(zone) != 0) return complain(zone);
  if (unlink(path) != 0 && errno != ENOENT) return complain(path);
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) != 0) return complain(path);
  if (chmod(path, 0666) != 0 || listen(listening, BACKLOG) != 0) return complain(path);
  return send_descriptor(back, "x", 1, listening) != 0 ? complain("passing the socket back") : 0;
}

int listen_in_zone(const char *zone, const char *path) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return complain("socketpair"), -1;
  int template = open_template();
  if (template < 0) return complain("process contract"), -1;
  pid_t child = fork();
  if (child < 0) return complain("fork"), -1;
  if (child == 0) {
    close(pair[0]);
    _exit(bind_inside(zone, path, pair[1]));
  }
  close_template(template);
  close(pair[1]);
  int listening = receive_descriptor(pair[0]);
  close(pair[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return listening; /* else the child has complained */
}
