/* SPDX-License-Identifier: Apache-2.0 */
/* listener.h: a seccomp filter's listener on its way from the child to the agent that answers for it. */
#ifndef TSRUN_LISTENER_H
#define TSRUN_LISTENER_H

#include <stddef.h>
#include <sys/types.h>

/* The child's: to its stage, with the op. 0 or -errno. */
int listener_hand_over(int stage, unsigned int op, int listener);

/*
 * The stage's: connects to the Unix socket at path and sends the message with the listener. Each NUL of the
 * message becomes the pid. 0 or -errno. OCI config-linux.md, "The Container Process State".
 */
int listener_deliver(const char *path, const char *message, size_t size, pid_t pid, int listener);

#endif
