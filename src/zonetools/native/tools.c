/*
 * mpipe, mcat and mtee: what user commands call to emit outputs of their task; which of them is told by the name under
 * which this program is called. They are small and native because a task may call them many times, and a JavaScript
 * runtime, a shell script or curl takes longer to start than all of this to run. They hold no secrets: the zone's
 * endpoint on port 80 passes everything on to the agent, which adds the job's credentials.
 *
 * Exit status: 0 done, 1 reported failure, 2 not understood. Source: spec 06 §5.1 to §5.5.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http.h"
#include "names.h"
#include "text.h"

static const char *tool;
static const char *usage;

static const char mpipe_usage[] =
  "usage: mpipe [-f file] [-p] [-r reducer] [-H header:value ... ] \n"
  "             [objectkey]\n"
  "\n"
  "Read data from stdin and save it as an output object of this task, under a\n"
  "name of its own or as \"objectkey\".\n";
static const char mcat_usage[] =
  "usage: mcat objectkey\n"
  "\n"
  "Emit the object \"objectkey\", which exists already, as an output of this task.\n"
  "It is not copied. For example:\n"
  "\n"
  "    mcat \"$MANTA_INPUT_OBJECT\"\n";
static const char mtee_usage[] =
  "usage: mtee [-c durability] [-H header:value ...] [manta_key]\n"
  "\n"
  "Copy stdin to stdout and save it as the object \"manta_key\".\n";

/* @param message may be NULL. */
static _Noreturn void refuse(const char *message) {
  if (message != NULL) fprintf(stderr, "%s\n", message);
  fputs(usage, stderr);
  exit(2);
}

/* For an option that getopt, told to be silent, did not understand. */
static _Noreturn void refuse_option(int found) {
  refuse(format(found == ':' ? "option requires an argument -- %c" : "illegal option -- %c", optopt));
}

static _Noreturn void fail(const char *message) {
  fprintf(stderr, "%s: %s\n", tool, message);
  exit(1);
}

/* "name:value" or "name: value". */
static void add_header(struct headers *headers, const char *argument, const char *complaint) {
  const char *colon = strchr(argument, ':');
  if (colon == NULL) refuse(complaint);
  const char *name = format("%.*s", (int)(colon - argument), argument);
  const char *value = colon[1] == ' ' ? colon + 2 : colon + 1;
  if (!may_be_header(name, value)) refuse(complaint);
  if (!set_header(headers, name, value)) fail("too many headers");
}

/* @returns the value of the header that names a reducer. */
static const char *read_reducer(const char *argument) {
  long long reducer;
  if (!parse_int(argument, &reducer)) refuse(format("%s: invalid reducer", tool));
  return format("%lld", reducer);
}

static int read_port(const char *argument) {
  long long port;
  if (!parse_int(argument, &port) || port < 1 || port > 65535) refuse(format("%s: invalid port", tool));
  return (int)port;
}

static struct server endpoint(void) {
  struct server server;
  if (!find_server(&server)) fail("MANTA_URL must be http:// at localhost or an IPv4 address");
  return server;
}

/*
 * Whether a read or write that failed is to be done again: now, or when the descriptor is ready. A program that used it
 * before us, such as node, may have left it non-blocking.
 */
static bool is_transient(int file, short events) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) return false;
  poll(&(struct pollfd){.fd = file, .events = events}, 1, -1);
  return true;
}

static bool write_all(int file, const char *bytes, ssize_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, (size_t)count);
    if (written < 0 && is_transient(file, POLLOUT)) continue;
    if (written < 0) return false;
    bytes += written;
    count -= written;
  }
  return true;
}

/* Copies stdin to a new file, and to stdout if `pass_on`, as long as somebody reads it. @returns the file. */
static int stage(const char *path, bool pass_on) {
  static char bytes[128 * 1024];
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file == -1) fail(format("%s: %s", path, strerror(errno)));
  for (;;) {
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count < 0 && is_transient(STDIN_FILENO, POLLIN)) continue;
    if (count < 0) fail(format("stdin: %s", strerror(errno)));
    if (count == 0) return file;
    if (pass_on && !write_all(STDOUT_FILENO, bytes, count)) {
      if (errno != EPIPE) fail(format("stdout: %s", strerror(errno)));
      pass_on = false; // its reader has seen enough: what is saved is whole all the same
    }
    if (!write_all(file, bytes, count)) fail(format("%s: %s", path, strerror(errno)));
  }
}

static bool parent_is_missing(struct answer answer) {
  return strncmp(answer.code, "DirectoryDoesNotExist", strlen("DirectoryDoesNotExist")) == 0;
}

static struct answer make_directory(const struct server *server, const char *path) {
  struct headers headers = {.count = 0};
  set_header(&headers, "accept", "application/json");
  set_header(&headers, "content-type", "application/json; type=directory");
  struct answer answer = put(server, path, &headers, -1, 0);
  char *parent = parent_of(path);
  if (!parent_is_missing(answer) || parent == NULL) return answer;
  answer = make_directory(server, parent);
  return answer.status == 204 ? put(server, path, &headers, -1, 0) : answer;
}

/* One attempt. @param parents whether missing directories are made. */
static struct answer save(const char *name, int file, const struct headers *given, bool parents) {
  struct server server = endpoint();
  struct stat status;
  if (fstat(file, &status) == -1) fail(strerror(errno));
  char *normalised = normalise_name(expand_name(name));
  char *path = encode_name(normalised);
  struct headers headers = {.count = 0};
  set_header(&headers, "accept", "application/json");
  set_header(&headers, "accept-version", "~1.0");
  set_header(&headers, "x-request-id", make_uuid());
  const char *type = content_type_of(normalised);
  if (type != NULL) set_header(&headers, "content-type", type);
  for (int index = 0; index < given->count; index++)
    if (!set_header(&headers, given->lines[index].name, given->lines[index].value)) fail("too many headers");
  struct answer answer = put(&server, path, &headers, file, status.st_size);
  if (!parents || !parent_is_missing(answer)) return answer;
  char *parent = parent_of(path);
  if (parent == NULL) return answer;
  answer = make_directory(&server, parent);
  return answer.status == 204 ? put(&server, path, &headers, file, status.st_size) : answer;
}

static bool is_saved(struct answer answer) {
  return answer.status >= 200 && answer.status < 400;
}

static int open_regular(const char *path) {
  struct stat status;
  int file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file == -1) refuse(format("mpipe: file %s does not exist or is not readable.", path));
  return file;
}

/* Saves stdin, or a file, as an output object of the task. */
static int mpipe(int argc, char **argv) {
  struct headers headers = {.count = 0};
  const char *reducer = NULL;
  bool parents = false;
  int file = -1;
  for (int option; (option = getopt(argc, argv, "+:f:H:pr:")) != -1;) {
    switch (option) {
      case 'f':
        file = open_regular(optarg);
        break;
      case 'H':
        add_header(&headers, optarg, "mpipe: headers must be in the format [header]: [value].");
        break;
      case 'p':
        parents = true;
        break;
      case 'r':
        reducer = read_reducer(optarg);
        break;
      default:
        refuse_option(option);
    }
  }
  set_header(&headers, "x-manta-stream", "stdout");
  if (reducer != NULL) set_header(&headers, "x-manta-reducer", reducer);
  const char *name = argv[optind];
  if (name == NULL) {
    const char *base = getenv("MANTA_OUTPUT_BASE");
    if (base == NULL || *base == '\0') {
      fputs("mpipe: manta configuration not found in environment\n", stderr);
      return 2;
    }
    name = format("%s%s", base, make_uuid());
    parents = true;
  }
  char *staged = NULL;
  if (file == -1) {
    staged = format("/var/tmp/mpipe.%d", getpid());
    fprintf(stderr, "saving stdin to %s\n", staged);
    file = stage(staged, false);
  }
  for (unsigned int attempt = 1;; attempt++) {
    struct answer answer = save(name, file, &headers, parents);
    if (is_saved(answer)) break;
    if (attempt == 3) fail(answer.message);
    sleep(attempt);
  }
  if (staged != NULL) unlink(staged);
  puts(name);
  return 0;
}

/* Makes objects that exist outputs of the task, by reference. */
static int mcat(int argc, char **argv) {
  struct headers headers = {.count = 0};
  struct server server = zone_endpoint();
  for (int option; (option = getopt(argc, argv, "+:p:r:")) != -1;) {
    switch (option) {
      case 'p':
        server.port = read_port(optarg);
        break;
      case 'r':
        set_header(&headers, "x-manta-reducer", read_reducer(optarg));
        break;
      default:
        refuse_option(option);
    }
  }
  if (optind == argc) refuse(NULL);
  set_header(&headers, "x-manta-reference", "true");
  set_header(&headers, "x-manta-stream", "stdout");
  for (int index = optind; index < argc; index++) argv[index] = encode_name(expand_name(argv[index]));
  struct answer answer = put_all(&server, argv + optind, argc - optind, &headers);
  if (answer.status == 0) fail(answer.message);
  if (answer.status == 204) return 0;
  fprintf(stderr, "server returned %d\n", answer.status);
  return 1;
}

/* Passes stdin on and saves a copy of it as an object, which is no output of the task. */
static int mtee(int argc, char **argv) {
  struct headers headers = {.count = 0};
  long long durability = 2;
  for (int option; (option = getopt(argc, argv, "+:c:H:")) != -1;) {
    switch (option) {
      case 'c':
        if (!parse_int(optarg, &durability)) refuse("mtee: invalid durability (-c)");
        break;
      case 'H':
        add_header(&headers, optarg, "mtee: headers must be in the format of: [header] + \": \" + [value]");
        break;
      default:
        refuse_option(option);
    }
  }
  if (optind == argc) refuse("mtee: A manta object key must be specified.");
  const char *no_auth = getenv("MANTA_NO_AUTH");
  if (getenv("MANTA_URL") == NULL) refuse("url is a required argument");
  if (no_auth == NULL || strcmp(no_auth, "true") != 0) {
    if (getenv("MANTA_USER") == NULL) refuse("account is a required argument");
    if (getenv("MANTA_KEY_ID") == NULL) refuse("keyId is a required argument");
  }
  set_header(&headers, "x-durability-level", format("%lld", durability));
  char *staged = format("/var/tmp/mtee.%d", getpid());
  int file = stage(staged, true);
  struct answer answer = save(argv[optind], file, &headers, false);
  if (!is_saved(answer)) {
    fprintf(stderr, "%s\n", answer.message);
    return 1;
  }
  unlink(staged);
  return 0;
}

static const struct {
  const char *name;
  const char *usage;
  int (*run)(int argc, char **argv);
} tools[] = {
  {"mpipe", mpipe_usage, mpipe},
  {"mcat", mcat_usage, mcat},
  {"mtee", mtee_usage, mtee},
};

int main(int argc, char **argv) {
  const char *name = argc > 0 ? argv[0] : "";
  const char *slash = strrchr(name, '/');
  tool = slash == NULL ? name : slash + 1;
  signal(SIGPIPE, SIG_IGN); // a reader that has seen enough is an error of write, not the end
  for (size_t index = 0; index < sizeof tools / sizeof *tools; index++) {
    if (strcmp(tool, tools[index].name) != 0) continue;
    usage = tools[index].usage;
    return tools[index].run(argc, argv);
  }
  fprintf(stderr, "called by a name that is none of mpipe, mcat, mtee: \"%s\"\n", tool);
  return 2;
}
