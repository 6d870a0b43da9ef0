/*
 * HTTP/1.1 as far as the tools need it: PUT, to the zone's own endpoint. A body is sent by the kernel, straight from its
 * file. A long one is announced first (Expect: 100-continue) and sent when it is wanted; asking costs a round trip, so
 * what fits into the socket's buffers goes along with the head.
 */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum {
  announced_bytes = 64 * 1024, // bodies longer than this are announced
  answer_bytes = 64 * 1024, // of an answer, what is more is not read
  max_under_way = 16,
};

/* Pauses before a connection that was refused is tried again: the lackey may just be starting. */
static const int connect_pauses_ms[] = {500, 1000, 2000};

bool find_server(struct server *server) {
  *server = (struct server){.host = "localhost", .address = "127.0.0.1", .port = 80};
  const char *url = getenv("MANTA_URL");
  if (url == NULL || *url == '\0') return true;
  if (strncmp(url, "http://", 7) != 0) return false;
  const char *host = url + 7;
  size_t length = strcspn(host, ":/");
  server->host = format("%.*s", (int)length, host);
  if (strcmp(server->host, "localhost") != 0) server->address = server->host;
  if (host[length] == ':') server->port = atoi(host + length + 1);
  struct in_addr parsed;
  return inet_pton(AF_INET, server->address, &parsed) == 1 && server->port > 0 && server->port < 65536;
}

struct server zone_endpoint(void) {
  struct server server;
  if (!find_server(&server) || strcmp(server.address, "127.0.0.1") != 0)
    server = (struct server){.host = "localhost", .address = "127.0.0.1", .port = 80};
  return server;
}

bool may_be_header(const char *name, const char *value) {
  static const char signs[] = "!#$%&'*+-.^_`|~";
  for (const char *letter = name; *letter != '\0'; letter++)
    if (!isalnum((unsigned char)*letter) && strchr(signs, *letter) == NULL) return false;
  return *name != '\0' && strpbrk(value, "\r\n") == NULL;
}

bool set_header(struct headers *headers, const char *name, const char *value) {
  char *lower = format("%s", name);
  for (char *letter = lower; *letter != '\0'; letter++) *letter = (char)tolower((unsigned char)*letter);
  int index = 0;
  while (index < headers->count && strcmp(headers->lines[index].name, lower) != 0) index++;
  if (index == (int)(sizeof headers->lines / sizeof *headers->lines)) return false;
  if (index == headers->count) headers->count++;
  headers->lines[index].name = lower;
  headers->lines[index].value = format("%s", value);
  return true;
}

static void pause_ms(int ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static struct answer no_answer(char *why) {
  return (struct answer){.status = 0, .code = "", .message = why};
}

/* @returns a socket, or -1 and the reason in `answer`. */
static int connect_to(const struct server *server, struct answer *answer) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
  inet_pton(AF_INET, server->address, &address.sin_addr);
  for (size_t attempt = 0;; attempt++) {
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection != -1 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0) {
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
      return connection;
    }
    *answer = no_answer(format("connect %s %s:%d", errno == ECONNREFUSED ? "ECONNREFUSED" : strerror(errno), server->address,
                               server->port));
    if (connection != -1) close(connection);
    if (attempt == sizeof connect_pauses_ms / sizeof *connect_pauses_ms) return -1;
    pause_ms(connect_pauses_ms[attempt]);
  }
}

/* What tells the server where the request ends is ours alone to say. */
static bool is_framing(const char *name) {
  static const char *const names[] = {"host", "content-length", "connection", "expect", "transfer-encoding"};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++)
    if (strcmp(name, names[index]) == 0) return true;
  return false;
}

static char *make_head(const struct server *server, const char *path, const struct headers *headers, off_t size,
                       const char *more) {
  char *head = format("PUT %s HTTP/1.1\r\nhost: %s\r\ncontent-length: %lld\r\n%s", path, server->host, (long long)size,
                      more);
  for (int index = 0; index < headers->count; index++) {
    if (is_framing(headers->lines[index].name)) continue;
    char *longer = format("%s%s: %s\r\n", head, headers->lines[index].name, headers->lines[index].value);
    free(head);
    head = longer;
  }
  char *whole = format("%s\r\n", head);
  free(head);
  return whole;
}

static bool send_text(int connection, const char *text, int flags) {
  for (size_t left = strlen(text); left > 0;) {
    ssize_t sent = send(connection, text, left, flags | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    text += sent;
    left -= (size_t)sent;
  }
  return true;
}

/* @returns false when the file has become shorter, or the server does not want more: its answer tells why. */
static bool send_file(int connection, int file, off_t size) {
  for (off_t offset = 0; offset < size;) {
    ssize_t sent = sendfile(connection, file, &offset, (size_t)(size - offset));
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
  }
  return true;
}

/* What has arrived on a connection and was not used yet. */
struct reader {
  int connection;
  size_t length;
  char bytes[answer_bytes + 1]; // a text: ends with 0
};

/* @returns false at the end of the connection, or when no more fits. */
static bool read_more(struct reader *reader) {
  size_t room = answer_bytes - reader->length;
  ssize_t got = 0;
  do got = room == 0 ? 0 : read(reader->connection, reader->bytes + reader->length, room);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  reader->length += (size_t)got;
  reader->bytes[reader->length] = '\0';
  return true;
}

/* Reads status line and headers, and takes them out of what has arrived. @returns the status, 0 when there is none. */
static int read_head(struct reader *reader) {
  char *end;
  while ((end = strstr(reader->bytes, "\r\n\r\n")) == NULL)
    if (!read_more(reader)) return 0;
  int status = 0;
  if (sscanf(reader->bytes, "HTTP/1.%*1[01] %3d", &status) != 1) return 0;
  size_t used = (size_t)(end + 4 - reader->bytes);
  reader->length -= used;
  memmove(reader->bytes, reader->bytes + used, reader->length + 1);
  return status;
}

/* Appends a code point as UTF-8. */
static char *append(char *end, unsigned long point) {
  if (point < 0x80) *end++ = (char)point;
  else if (point < 0x800) {
    *end++ = (char)(0xc0 | point >> 6);
    *end++ = (char)(0x80 | (point & 0x3f));
  } else {
    *end++ = (char)(0xe0 | point >> 12);
    *end++ = (char)(0x80 | (point >> 6 & 0x3f));
    *end++ = (char)(0x80 | (point & 0x3f));
  }
  return end;
}

/* Decodes the JSON string after the quote at `text`. @returns what follows it; NULL when it does not end. */
static const char *read_string(const char *text, char **decoded) {
  char *end = *decoded = format("%s", text);
  while (*text != '\0' && *text != '"') {
    if (*text != '\\') {
      *end++ = *text++;
      continue;
    }
    text++;
    char digits[5] = "";
    const char *plain = "nrtbf", *meaning = "\n\r\t\b\f", *found;
    if (*text == 'u' && sscanf(text + 1, "%4[0-9a-fA-F]", digits) == 1 && strlen(digits) == 4) {
      end = append(end, strtoul(digits, NULL, 16));
      text += 5;
    } else if (*text != '\0') {
      found = strchr(plain, *text);
      *end++ = found == NULL ? *text : meaning[found - plain];
      text++;
    }
  }
  *end = '\0';
  return *text == '"' ? text + 1 : NULL;
}

/* Finds `code` and `message` in an error body, `{"code": ..., "message": ...}`. */
static void read_error(const char *text, struct answer *answer) {
  int depth = 0;
  while (text != NULL && *text != '\0') {
    if (*text == '{' || *text == '[') depth++;
    if (*text == '}' || *text == ']') depth--;
    if (*text++ != '"') continue;
    char *name, *value;
    text = read_string(text, &name);
    if (text == NULL || depth != 1) continue;
    const char *after = text + strspn(text, " \r\n\t");
    if (*after != ':') continue;
    after += 1 + strspn(after + 1, " \r\n\t");
    if (*after != '"') continue;
    text = read_string(after + 1, &value);
    if (strcmp(name, "code") == 0) answer->code = value;
    if (strcmp(name, "message") == 0) answer->message = value;
  }
}

struct answer put(const struct server *server, const char *path, const struct headers *headers, int file, off_t size) {
  struct answer answer;
  struct reader reader = {.connection = connect_to(server, &answer)};
  if (reader.connection == -1) return answer;
  bool announced = size > announced_bytes;
  const char *more = announced ? "connection: close\r\nexpect: 100-continue\r\n" : "connection: close\r\n";
  // MSG_MORE: head and body leave as one segment.
  send_text(reader.connection, make_head(server, path, headers, size, more), size > 0 && !announced ? MSG_MORE : 0);
  if (!announced) send_file(reader.connection, file, size);
  int status = read_head(&reader);
  if (status == 100 && announced) send_file(reader.connection, file, size);
  while (status >= 100 && status < 200) status = read_head(&reader);
  answer = (struct answer){.status = status, .code = "", .message = "socket hang up"};
  if (status >= 400) {
    answer.message = format("unexpected status %d", status);
    while (read_more(&reader)) continue;
    read_error(reader.bytes, &answer);
  }
  close(reader.connection);
  return answer;
}

struct answer put_all(const struct server *server, char *const *paths, int count, const struct headers *headers) {
  struct answer answer;
  struct reader reader = {.connection = connect_to(server, &answer)};
  if (reader.connection == -1) return answer;
  for (int sent = 0, answered = 0; answered < count; answered++) {
    for (; sent < count && sent - answered < max_under_way; sent++) {
      char *head = make_head(server, paths[sent], headers, 0, "");
      send_text(reader.connection, head, 0);
      free(head);
    }
    int status = read_head(&reader);
    // 204 has no body, so the next answer follows; after anything else we are done.
    if (status != 204) {
      close(reader.connection);
      return (struct answer){.status = status, .code = "", .message = "socket hang up"};
    }
  }
  close(reader.connection);
  return (struct answer){.status = 204, .code = "", .message = ""};
}
