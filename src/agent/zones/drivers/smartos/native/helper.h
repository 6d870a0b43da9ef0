/* The parts of the zone helper: each is one of its commands. All return an exit status; `complain` has told why. */
#ifndef MARLIN_ZONE_HELPER_H
#define MARLIN_ZONE_HELPER_H

/* Exit statuses beside 0 and 1. */
#define USAGE 2
#define NO_SUCH_MOUNT 3 /* nothing is mounted there: for the agent that may be no error */

/* "what: the system's reason" on standard error. Returns 1. */
int complain(const char *what);

/* below.c: files below a directory that untrusted programs can change. */
int read_below(const char *root, const char *name, long long most);
int write_below(const char *root, const char *name);

/* hyprlofs.c */
int hyprlofs_mount(const char *directory);
int hyprlofs_add(const char *directory, const char *source, const char *alias);
int hyprlofs_clear(const char *directory);

/* zone-socket.c: a listening socket, bound inside the zone; -1 on error. An empty name is the machine itself. */
int listen_in_zone(const char *zone, const char *path);

/* hand-over.c: gives every connection to the agent, until the agent is gone. */
int hand_over(int listening, int channel);

#endif
