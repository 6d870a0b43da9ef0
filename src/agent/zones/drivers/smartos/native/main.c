/*
 * What the agent's `smartos` driver needs of the system and no command offers.
 *
 *   hyprlofs mount DIRECTORY            an empty, read-only name space
 *   hyprlofs add DIRECTORY FILE ALIAS   FILE appears as DIRECTORY/ALIAS
 *   hyprlofs clear DIRECTORY            nothing appears any more; status 3: nothing is mounted there
 *   socket ZONE PATH                    listens on PATH as the zone sees it, and hands each connection to the agent over
 *                                       the channel that Node made (NODE_CHANNEL_FD)
 *   read ROOT NAME BYTES                the regular file ROOT/NAME, at most its first BYTES
 *   write ROOT NAME                     makes it, executable, of what is on standard input
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helper.h"

int complain(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int usage(void) {
  fprintf(stderr, "usage: zone-helper hyprlofs mount|clear DIRECTORY\n"
                  "       zone-helper hyprlofs add DIRECTORY FILE ALIAS\n"
                  "       zone-helper socket ZONE PATH\n"
                  "       zone-helper read ROOT NAME BYTES\n"
                  "       zone-helper write ROOT NAME\n");
  return USAGE;
}

static int serve_socket(const char *zone, const char *path) {
  const char *channel = getenv("NODE_CHANNEL_FD");
  if (channel == NULL) {
    fprintf(stderr, "zone-helper socket: to be started by the agent only\n");
    return USAGE;
  }
  int listening = listen_in_zone(zone, path);
  return listening < 0 ? 1 : hand_over(listening, atoi(channel));
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "hyprlofs") == 0 && argc == 4 && strcmp(argv[2], "mount") == 0) return hyprlofs_mount(argv[3]);
  if (strcmp(command, "hyprlofs") == 0 && argc == 4 && strcmp(argv[2], "clear") == 0) return hyprlofs_clear(argv[3]);
  if (strcmp(command, "hyprlofs") == 0 && argc == 6 && strcmp(argv[2], "add") == 0)
    return hyprlofs_add(argv[3], argv[4], argv[5]);
  if (strcmp(command, "socket") == 0 && argc == 4) return serve_socket(argv[2], argv[3]);
  if (strcmp(command, "read") == 0 && argc == 5) return read_below(argv[2], argv[3], atoll(argv[4]));
  if (strcmp(command, "write") == 0 && argc == 4) return write_below(argv[2], argv[3]);
  return usage();
}
