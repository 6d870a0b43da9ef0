/*
 * Gives connections to a Node process, its parent, the way Node itself passes a `net.Socket` between processes: a line of
 * JSON on the channel, the descriptor along with it. Node acknowledges each, which is read and dropped. Whoever closes
 * the channel, by will or by dying, ends this process, and with it the socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "descriptors.h"
#include "helper.h"

#define READY "\"listening\"\n"
#define CONNECTION "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"connection\"}\n"

int hand_over(int listening, int channel) {
  if (write(channel, READY, sizeof READY - 1) < 0) return complain("channel");
  struct pollfd watched[] = {{.fd = listening, .events = POLLIN}, {.fd = channel, .events = POLLIN}};
  for (;;) {
    if (poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return complain("poll");
    }
    if (watched[1].revents != 0) {
      char acknowledgement[512];
      ssize_t count = read(channel, acknowledgement, sizeof acknowledgement);
      if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return 0;
    }
    if (watched[0].revents == 0) continue;
    int connection = accept(listening, NULL, NULL);
    if (connection < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) usleep(10000);
      continue;
    }
    int lost = send_descriptor(channel, CONNECTION, sizeof CONNECTION - 1, connection);
    close(connection);
    if (lost) return 0;
  }
}
