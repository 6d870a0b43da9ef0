/*
 * Reading and writing below a directory that untrusted programs can change, from outside of their zone, without ever
 * following a symbolic link of theirs: each component is opened relative to the one before, and links are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper.h"

#ifndef O_DIRECTORY
#define O_DIRECTORY 0 /* then fstat tells */
#endif

static int refuse(const char *name, const char *why) {
  fprintf(stderr, "%s: %s\n", name, why);
  return 1;
}

/* Opens the directory of the last component of NAME, makes those that are missing if `make`. *file is that component. */
static int open_parent(const char *root, char *name, int make, char **file) {
  int directory = open(root, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  if (directory < 0) {
    complain(root);
    return -1;
  }
  char *rest = NULL;
  char *part = strtok_r(name, "/", &rest);
  for (char *next; part != NULL && (next = strtok_r(NULL, "/", &rest)) != NULL; part = next) {
    if (strcmp(part, "..") == 0) break;
    if (make && mkdirat(directory, part, 0755) != 0 && errno != EEXIST) {
      complain(part);
      close(directory);
      return -1;
    }
    int inner = openat(directory, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    if (inner < 0) complain(part);
    close(directory);
    if (inner < 0) return -1;
    directory = inner;
  }
  if (part == NULL || strcmp(part, "..") == 0 || strcmp(part, ".") == 0) {
    refuse(name, "this name does not stay in its directory");
    close(directory);
    return -1;
  }
  *file = part;
  return directory;
}

/* At most `most` bytes; negative: all. */
static int copy(int from, int to, long long most) {
  static char buffer[64 * 1024];
  while (most != 0) {
    size_t wanted = most > 0 && most < (long long)sizeof buffer ? (size_t)most : sizeof buffer;
    ssize_t count = read(from, buffer, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return complain("read");
    if (count == 0) return 0;
    for (ssize_t written = 0; written < count;) {
      ssize_t some = write(to, buffer + written, (size_t)(count - written));
      if (some < 0 && errno != EINTR) return complain("write");
      if (some > 0) written += some;
    }
    if (most > 0) most -= count;
  }
  return 0;
}

int read_below(const char *root, const char *name, long long most) {
  char *parts = strdup(name);
  char *file = NULL;
  int directory = open_parent(root, parts, 0, &file);
  if (directory < 0) return 1;
  int descriptor = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK); /* a FIFO must not hold us up */
  if (descriptor < 0) return complain(name);
  struct stat status;
  if (fstat(descriptor, &status) != 0) return complain(name);
  if (!S_ISREG(status.st_mode)) return refuse(name, "no regular file");
  if (status.st_nlink != 1) return refuse(name, "it has another name elsewhere");
  return copy(descriptor, STDOUT_FILENO, most < 0 ? 0 : most);
}

int write_below(const char *root, const char *name) {
  umask(0);
  char *parts = strdup(name);
  char *file = NULL;
  int directory = open_parent(root, parts, 1, &file);
  if (directory < 0) return 1;
  if (unlinkat(directory, file, 0) != 0 && errno != ENOENT) return complain(name);
  int descriptor = openat(directory, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0700);
  if (descriptor < 0) return complain(name);
  if (copy(STDIN_FILENO, descriptor, -1) != 0) return 1;
  if (fchmod(descriptor, 0755) != 0 || close(descriptor) != 0) return complain(name);
  return 0;
}
