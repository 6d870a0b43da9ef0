/*
 * Runs a command on a new pseudo-terminal: terminal COLUMNS LINES COMMAND [ARGUMENT...]
 *
 * What comes on standard input is typed, what the terminal shows goes to standard output. Descriptor 3 carries control:
 * this program says "started PID" or "error TEXT", one line each, and is told "COLUMNS LINES" when the window changes.
 * It ends when nothing holds the terminal any more; when standard input or descriptor 3 ends, the terminal is hung up,
 * and with it what runs there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL = 3, BUFFER = 65536 };

struct queue {
  char bytes[BUFFER];
  size_t used;
};

static void fail(const char *what) {
  dprintf(CONTROL, "error %s: %s\n", what, strerror(errno));
  exit(1);
}

static int write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t done = write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return -1;
    bytes += done;
    size -= (size_t)done;
  }
  return 0;
}

static struct winsize window(unsigned columns, unsigned lines) {
  struct winsize size = {.ws_row = (unsigned short)lines, .ws_col = (unsigned short)columns};
  return size;
}

/* Takes whole lines out of what has come; the rest waits for its end. */
static void control(int master, struct queue *told) {
  char *end;
  while ((end = memchr(told->bytes, '\n', told->used)) != NULL) {
    unsigned columns, lines;
    *end = '\0';
    if (sscanf(told->bytes, "%5u %5u", &columns, &lines) == 2) {
      struct winsize size = window(columns, lines);
      ioctl(master, TIOCSWINSZ, &size);
    }
    size_t taken = (size_t)(end - told->bytes) + 1;
    told->used -= taken;
    memmove(told->bytes, end + 1, told->used);
  }
  if (told->used == BUFFER) told->used = 0;
}

/* Starts the command; resolves to its pid when it runs, since the pipe closes at exec. */
static pid_t start(char **command, const struct winsize *size, int *master) {
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) fail("pipe");
  pid_t pid = forkpty(master, NULL, NULL, size);
  if (pid < 0) fail("no terminal");
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    close(CONTROL);
    execvp(command[0], command);
    int problem = errno;
    if (write(failure[1], &problem, sizeof problem) < 0) _exit(126);
    _exit(127);
  }
  close(failure[1]);
  int problem;
  if (read(failure[0], &problem, sizeof problem) == sizeof problem) {
    errno = problem;
    fail(command[0]);
  }
  close(failure[0]);
  return pid;
}

/* Types what has come, as much as the terminal takes now. */
static void type(int master, struct queue *typed) {
  ssize_t done = write(master, typed->bytes, typed->used);
  if (done <= 0) return;
  typed->used -= (size_t)done;
  memmove(typed->bytes, typed->bytes + done, typed->used);
}

int main(int argc, char **argv) {
  static struct queue typed, told;
  static char shown[BUFFER];
  if (argc < 4) {
    fputs("usage: terminal COLUMNS LINES COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct winsize size = window((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
  int master;
  pid_t pid = start(argv + 3, &size, &master);
  fcntl(master, F_SETFD, FD_CLOEXEC);
  fcntl(master, F_SETFL, O_NONBLOCK);
  dprintf(CONTROL, "started %d\n", (int)pid);
  for (;;) {
    struct pollfd wait[] = {
        {.fd = master, .events = (short)(POLLIN | (typed.used > 0 ? POLLOUT : 0))},
        {.fd = typed.used < BUFFER ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = CONTROL, .events = POLLIN},
    };
    if (poll(wait, 3, -1) < 0) {
      if (errno == EINTR) continue;
      fail("poll");
    }
    if (wait[0].revents & (POLLIN | POLLHUP | POLLERR)) {
      ssize_t got = read(master, shown, sizeof shown);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break; /* nobody holds the terminal any more */
      if (got > 0 && write_all(STDOUT_FILENO, shown, (size_t)got) != 0) break;
    }
    if (wait[1].revents & (POLLIN | POLLHUP | POLLERR)) {
      ssize_t got = read(STDIN_FILENO, typed.bytes + typed.used, BUFFER - typed.used);
      if (got == 0) break;
      if (got > 0) typed.used += (size_t)got;
    }
    if (wait[2].revents & (POLLIN | POLLHUP | POLLERR)) {
      ssize_t got = read(CONTROL, told.bytes + told.used, BUFFER - told.used);
      if (got == 0) break;
      if (got > 0) told.used += (size_t)got;
      control(master, &told);
    }
    if (typed.used > 0) type(master, &typed);
  }
  close(master); /* hangs up what is still there */
  return 0;
}
