/* Descriptors in messages between processes. */
#ifndef MARLIN_DESCRIPTORS_H
#define MARLIN_DESCRIPTORS_H
#include <stddef.h>

/* Sends all of the text, the descriptor with its first byte; waits while the receiver is slow. -1: the receiver is gone. */
int send_descriptor(int channel, const char *text, size_t length, int descriptor);

/* The descriptor of the next message; -1: there is none. */
int receive_descriptor(int channel);

#endif
