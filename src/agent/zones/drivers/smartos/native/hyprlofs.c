/*
 * hyprlofs, a file system of illumos: a read-only name space whose files are files elsewhere, changed by ioctl at its
 * root. Programs in the zone see objects through it; the agent, outside, says which. Only illumos has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "helper.h"

#ifdef __sun
#include <stropts.h>
#include <sys/fs/hyprlofs.h>
#include <sys/mntent.h>
#include <sys/mount.h>
#include <sys/types.h>

int hyprlofs_mount(const char *directory) {
  char options[MAX_MNTOPT_STR] = "ro"; /* the kernel writes back what it made of them */
  int failed = mount("swap", directory, MS_RDONLY | MS_OPTIONSTR, "hyprlofs", NULL, 0, options, sizeof options);
  return failed != 0 ? complain(directory) : 0;
}

int hyprlofs_add(const char *directory, const char *source, const char *alias) {
  int root = open(directory, O_RDONLY);
  if (root < 0) return complain(directory);
  hyprlofs_entry_t entry;
  memset(&entry, 0, sizeof entry);
  entry.hle_path = (char *)source;
  entry.hle_plen = (uint_t)strlen(source);
  entry.hle_name = (char *)alias;
  entry.hle_nlen = (uint_t)strlen(alias);
  hyprlofs_entries_t entries;
  memset(&entries, 0, sizeof entries);
  entries.hle_entries = &entry;
  entries.hle_len = 1;
  return ioctl(root, HYPRLOFS_ADD_ENTRIES, &entries) < 0 ? complain(source) : 0;
}

int hyprlofs_clear(const char *directory) {
  int root = open(directory, O_RDONLY);
  if (root >= 0 && ioctl(root, HYPRLOFS_RM_ALL) >= 0) return 0;
  int absent = errno == ENOENT || errno == ENOTTY;
  complain(directory);
  return absent ? NO_SUCH_MOUNT : 1;
}

#else

static int elsewhere(void) {
  fprintf(stderr, "hyprlofs is a file system of SmartOS\n");
  return 1;
}
int hyprlofs_mount(const char *directory) {
  (void)directory;
  return elsewhere();
}
int hyprlofs_add(const char *directory, const char *source, const char *alias) {
  (void)directory, (void)source, (void)alias;
  return elsewhere();
}
int hyprlofs_clear(const char *directory) {
  (void)directory;
  return elsewhere();
}

#endif
