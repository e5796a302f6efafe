/* SPDX-License-Identifier: Apache-2.0 */
/* pty.h: the container's terminal, and descriptors on their way between the child and the stage. */
#ifndef TSRUN_PTY_H
#define TSRUN_PTY_H

#include "plan.h"

struct winsize;

/* Between the child and the stage only, beside the kinds of plan.h. */
enum {
	REPORT_PTY_MASTER = 0x100,      /* carries a descriptor */
	REPORT_LISTENER = 0x102,        /* carries a descriptor, for the OP_SEND_LISTENER at op_index */
	REPORT_FAULT = 0x101,           /* asks the stage to send the injected SIGKILL; answered */
};

/*
 * Opens a new terminal of this devpts, passes its master to the receiver and returns the slave, or -errno.
 * Neither becomes the controlling terminal. The message goes with it; NULL is the stage's own.
 * pty(7), ioctl_tty(2).
 */
int pty_open(int devpts, const struct winsize *size, int receiver, const char *message);

/* Makes the slave the session's controlling terminal and descriptors 0, 1, 2; 0 or -errno. */
int pty_take_stdio(int slave);

/*
 * The stage's side: one message of the child's, with the descriptor it carried or -1 in *fd.
 * 1, 0 at the end of file, or -errno.
 */
int pty_receive(int socket, struct report *message, int *fd);

#endif
