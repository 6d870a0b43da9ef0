#ifndef NAMES_H
#define NAMES_H

/* `~~` at the beginning replaced by the home of the user, /$MANTA_USER. */
char *expand_name(const char *name);

/* `.`, `..` and repeated slashes resolved. */
char *normalise_name(const char *name);

/* As it travels: each component percent-encoded. */
char *encode_name(const char *name);

/* The directory above an encoded name; NULL when there is none. */
char *parent_of(const char *path);

/* By the extension, when it is a well-known one; else NULL. */
const char *content_type_of(const char *name);

#endif
