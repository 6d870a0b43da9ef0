#define _GNU_SOURCE
#include "names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

char *expand_name(const char *name) {
  const char *user = getenv("MANTA_USER");
  if (user != NULL && strncmp(name, "~~", 2) == 0 && (name[2] == '/' || name[2] == '\0'))
    return format("/%s%s", user, name + 2);
  return format("%s", name);
}

char *normalise_name(const char *name) {
  char *result = format("/%s", name); // never longer than that
  size_t length = 0;
  for (const char *part = name; *part != '\0';) {
    size_t size = strcspn(part, "/");
    if (size == 2 && strncmp(part, "..", 2) == 0) {
      while (length > 0 && result[--length] != '/') continue;
    } else if (size > 0 && !(size == 1 && *part == '.')) {
      result[length++] = '/';
      memcpy(result + length, part, size);
      length += size;
    }
    part += size;
    if (*part == '/') part++;
  }
  if (length == 0) result[length++] = '/';
  result[length] = '\0';
  return result;
}

char *encode_name(const char *name) {
  char *result = format("%*s", (int)(3 * strlen(name) + 1), "");
  char *end = result;
  for (const unsigned char *byte = (const unsigned char *)name; *byte != '\0'; byte++) {
    if ((*byte < 128 && isalnum(*byte)) || strchr("-_.!~*'()/", *byte) != NULL) *end++ = (char)*byte;
    else end += sprintf(end, "%%%02X", *byte);
  }
  *end = '\0';
  return result;
}

char *parent_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) return NULL;
  return format("%.*s", (int)(slash - path), path);
}

static const struct {
  const char *extensions; // between blanks
  const char *type;
} content_types[] = {
  {" txt text log conf def in list ", "text/plain"},
  {" json map ", "application/json"},
  {" csv ", "text/csv"},
  {" tsv ", "text/tab-separated-values"},
  {" html htm shtml ", "text/html"},
  {" css ", "text/css"},
  {" md markdown ", "text/markdown"},
  {" xml xsl xsd rng ", "application/xml"},
  {" yaml yml ", "text/yaml"},
  {" js mjs ", "application/javascript"},
  {" sh ", "application/x-sh"},
  {" gz ", "application/gzip"},
  {" bz2 ", "application/x-bzip2"},
  {" zip ", "application/zip"},
  {" tar ", "application/x-tar"},
  {" pdf ", "application/pdf"},
  {" png ", "image/png"},
  {" jpg jpeg jpe ", "image/jpeg"},
  {" gif ", "image/gif"},
  {" svg svgz ", "image/svg+xml"},
  {" webp ", "image/webp"},
  {" mp3 ", "audio/mpeg"},
  {" mp4 ", "video/mp4"},
  {" mov qt ", "video/quicktime"},
};

const char *content_type_of(const char *name) {
  const char *slash = strrchr(name, '/');
  const char *base = slash == NULL ? name : slash + 1;
  const char *dot = strrchr(base, '.');
  if (dot == NULL || dot == base || strchr(dot, ' ') != NULL) return NULL;
  char *wanted = format(" %s ", dot + 1);
  for (size_t index = 0; index < sizeof content_types / sizeof *content_types; index++)
    if (strstr(content_types[index].extensions, wanted) != NULL) return content_types[index].type;
  return NULL;
}
