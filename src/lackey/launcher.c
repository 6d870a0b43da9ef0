/*
 * Starts shells for the lackey: theory of operation. To fork, a process copies its page tables, and a JavaScript runtime
 * has many: a start from there costs twice what the shell itself does. This program is small, stays, and does nothing
 * else. One command at a time:
 *
 *   lackey -> launcher   its length in bytes (32 bits, of this machine), then strings, each ended by a zero byte: "oom" or
 *                        "" (whether the command is the kernel's first choice when memory runs out), the paths of
 *                        stdin, stdout and stderr, the script, and the environment, a variable each
 *   launcher -> lackey   "started" when bash runs, or "failed ERRNO"; after "started": "exit CODE" or "signal NUMBER",
 *                        when it has ended; each a line
 *
 * Standard input and output are the lackey's, and their end is the launcher's. The files are named below the lackey's own
 * /proc/PID/fd, so it keeps them open until an answer has come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

/* More than the kernel takes as arguments and environment of a program. */
enum { MAX_REQUEST = 16 * 1024 * 1024, MAX_VARIABLES = 256 };

struct request {
  const char *victim, *input, *output, *errors, *script;
  char *environment[MAX_VARIABLES + 1];
};

/* Returns 0 at the end of the input. */
static int read_all(void *to, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t got = read(STDIN_FILENO, (char *)to + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    done += (size_t)got;
  }
  return 1;
}

/* Returns the string at `at`, and moves that behind it; at the end there is none. */
static char *next_string(char **at, const char *end) {
  if (*at >= end) return NULL;
  char *string = *at;
  *at += strlen(string) + 1;
  return string;
}

/* Returns whether the bytes, the last of which is zero, are a request. */
static int parse(char *bytes, size_t size, struct request *request) {
  char *at = bytes;
  const char *end = bytes + size;
  request->victim = next_string(&at, end);
  request->input = next_string(&at, end);
  request->output = next_string(&at, end);
  request->errors = next_string(&at, end);
  request->script = next_string(&at, end);
  size_t count = 0;
  for (char *variable; (variable = next_string(&at, end)) != NULL;) {
    if (count == MAX_VARIABLES) return 0;
    request->environment[count++] = variable;
  }
  request->environment[count] = NULL;
  return request->script != NULL;
}

static int give(int descriptor, const char *path, int flags) {
  int opened = open(path, flags | O_CLOEXEC);
  return opened >= 0 && dup2(opened, descriptor) >= 0;
}

/*
 * A pipe must not wait for a writer: the lackey may have written all, and be gone from it. Once open, the command finds it
 * as any other.
 */
static int give_input(const char *path) {
  return give(STDIN_FILENO, path, O_RDONLY | O_NONBLOCK) && fcntl(STDIN_FILENO, F_SETFL, 0) >= 0;
}

static int offer_to_oom_killer(void) {
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  return file >= 0 && write(file, "1000", 4) == 4;
}

/* In the child. Returns only when it could not become the shell, which errno tells. */
static void become_shell(struct request *request) {
  char *const arguments[] = {"bash", "--norc", "-c", (char *)request->script, NULL};
  if (setsid() < 0 || chdir("/") < 0) return;
  if (request->victim[0] != '\0' && !offer_to_oom_killer()) return;
  if (!give_input(request->input)) return;
  if (!give(STDOUT_FILENO, request->output, O_WRONLY) || !give(STDERR_FILENO, request->errors, O_WRONLY)) return;
  environ = request->environment;
  execvp(arguments[0], arguments); /* --norc: else a shell whose stdin is a socket takes itself for a remote one */
}

/* Returns the shell's process id; 0 with errno when there is none. */
static pid_t start(struct request *request) {
  int told[2];
  if (pipe2(told, O_CLOEXEC) < 0) return 0;
  pid_t pid = fork();
  if (pid == 0) {
    become_shell(request);
    int reason = errno;
    ssize_t written = write(told[1], &reason, sizeof reason);
    _exit(written == sizeof reason ? 1 : 2);
  }
  int reason = errno;
  close(told[1]);
  if (pid < 0) {
    close(told[0]);
    errno = reason;
    return 0;
  }
  ssize_t got;
  do got = read(told[0], &reason, sizeof reason); while (got < 0 && errno == EINTR);
  close(told[0]);
  if (got == 0) return pid; /* closed by exec, or by a violent death, which waiting tells */
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  errno = reason;
  return 0;
}

static void perform(struct request *request) {
  pid_t pid = start(request);
  if (pid == 0) {
    dprintf(STDOUT_FILENO, "failed %d\n", errno);
    return;
  }
  dprintf(STDOUT_FILENO, "started\n");
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return;
  }
  if (WIFSIGNALED(status)) dprintf(STDOUT_FILENO, "signal %d\n", WTERMSIG(status));
  else dprintf(STDOUT_FILENO, "exit %d\n", WEXITSTATUS(status));
}

int main(void) {
#ifdef PR_SET_PDEATHSIG
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody waits for the command of a lackey that died */
#endif
  for (uint32_t size; read_all(&size, sizeof size);) {
    struct request request;
    char *bytes = size > 0 && size <= MAX_REQUEST ? malloc(size) : NULL;
    if (bytes == NULL || !read_all(bytes, size)) return 1;
    if (bytes[size - 1] != '\0' || !parse(bytes, size, &request)) return 1;
    perform(&request);
    free(bytes);
  }
  return 0;
}
