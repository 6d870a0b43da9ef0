#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include "descriptors.h"

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

int send_descriptor(int channel, const char *text, size_t length, int descriptor) {
  union control control;
  memset(&control, 0, sizeof control);
  struct iovec data = {.iov_base = (char *)text, .iov_len = length};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  while (data.iov_len > 0) {
    ssize_t sent = sendmsg(channel, &message, 0);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      struct pollfd writable = {.fd = channel, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (sent < 0 && errno != EINTR) {
      return -1;
    } else if (sent > 0) {
      data.iov_base = (char *)data.iov_base + sent;
      data.iov_len -= (size_t)sent;
      message.msg_control = NULL; /* once */
      message.msg_controllen = 0;
    }
  }
  return 0;
}

int receive_descriptor(int channel) {
  union control control;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  if (recvmsg(channel, &message, 0) <= 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}
