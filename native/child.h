/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: the process between clone3 and execve. */
#ifndef TSRUN_CHILD_H
#define TSRUN_CHILD_H

#include "exec.h"
#include "ops.h"

/*
 * A page that the child shares with the stage until execve takes it away: how far it has come. It is
 * written without a system call, so no seccomp filter can keep a failure from being known.
 */
struct progress {
	enum { PROGRESS_OPS = 0, PROGRESS_FAILED, PROGRESS_EXEC } state;
	uint32_t op;            /* the op at work; REPORT_NO_OP before the first */
	int32_t error;          /* -errno, with PROGRESS_FAILED */
	/* What a proxy leaves to the stage, which waits for it to end. */
	struct {
		bool done;
		uint32_t op;    /* as in a failure */
		int32_t error;
		pid_t child;
		int pidfd, sync; /* in the descriptor table that the two share */
		struct slots slots; /* what it opened and closed there is the stage's to know */
	} proxy;
};

/* What the child starts with. Descriptors are -1 where there is nothing to do. */
struct child {
	struct context *context;        /* its report_fd is the socket to the stage */
	volatile struct progress *progress;
	struct exec_vectors exec;
	int stdio[3];                   /* to become 0, 1 and 2 */
	mode_t umask;                   /* what the stage was started with */
	int result;                     /* where a failure after OP_AWAIT_START is told; -1 before */
	bool waits;                     /* for the stage's go-ahead after the parent phase */
};

_Noreturn void child_main(struct child *child);

#endif
