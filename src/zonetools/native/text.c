#define _GNU_SOURCE
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

char *format(const char *pattern, ...) {
  char *text;
  va_list values;
  va_start(values, pattern);
  int length = vasprintf(&text, pattern, values);
  va_end(values);
  if (length < 0) {
    perror("out of memory");
    exit(1);
  }
  return text;
}

bool parse_int(const char *text, long long *number) {
  char *end;
  errno = 0;
  *number = strtoll(text, &end, 10);
  return end != text && *end == '\0' && errno == 0;
}

char *make_uuid(void) {
  unsigned char b[16];
  while (getrandom(b, sizeof b, 0) != sizeof b) {
    if (errno == EINTR) continue;
    perror("getrandom");
    exit(1);
  }
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  return format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
                b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
