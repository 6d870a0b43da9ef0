#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <sys/types.h>

/* Where the zone's storage endpoint is: this machine, always. */
struct server {
  const char *host; // for the Host header
  const char *address; // IPv4
  int port;
};

/* From MANTA_URL, else port 80. @returns false for an address that is not http on a numeric IPv4 or localhost. */
bool find_server(struct server *server);

/* The same, but port 80 of this machine when MANTA_URL names another, or another protocol. */
struct server zone_endpoint(void);

/* @returns whether the name is a token and the value one line. */
bool may_be_header(const char *name, const char *value);

/* Header lines; a name that is set again is replaced. */
struct headers {
  int count;
  struct {
    char *name;
    char *value;
  } lines[64];
};

/* @returns false when there are too many. */
bool set_header(struct headers *headers, const char *name, const char *value);

struct answer {
  int status; // 0: there was none, and `message` says why
  char *code; // of an error body; never NULL
  char *message;
};

/* A PUT on a connection of its own, with the first `size` bytes of `file` as body. */
struct answer put(const struct server *server, const char *path, const struct headers *headers, int file, off_t size);

/* PUTs without bodies, on one connection, several under way at once. @returns the first status that is not 204, if any. */
struct answer put_all(const struct server *server, char *const *paths, int count, const struct headers *headers);

#endif
