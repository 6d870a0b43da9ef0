#ifndef TEXT_H
#define TEXT_H

/* Strings are made and never freed: the tools live for one call. */

#include <stdbool.h>

/* printf into new memory. */
char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* @returns false unless the whole of `text` is a number in decimal digits. */
bool parse_int(const char *text, long long *number);

/* A random (version 4) UUID. */
char *make_uuid(void);

#endif
