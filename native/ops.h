/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h: an op, carried out. */
#ifndef TSRUN_OPS_H
#define TSRUN_OPS_H

#include <stdbool.h>

#include "stage.h"

/* What an op works on: one in the stage, the clone's copy in the child. */
struct context {
	const struct plan *plan;
	struct slots slots;
	pid_t child;            /* for OP_WRITE_PROC, in the stage */
	int report_fd;          /* FD_CONTROL, or the child's socket to its stage */
	bool umask_set;         /* OP_UMASK has spoken */
	unsigned int kept_fds;  /* from 3 on: OP_KEEP_FDS */
	bool dies_with_peer;    /* SIGKILL when the process at the other end of report_fd dies */
};

/*
 * Nobody may look at or trace us (CVE-2016-9962), and we die with our parent if we are to. A change of
 * credentials undoes both, so this is called again after each. Ends the process if the parent died
 * before: in a pid namespace getppid(2) is 0 then as before, but report_fd has lost its other end.
 * prctl(2) PR_SET_DUMPABLE, PR_SET_PDEATHSIG.
 */
void guard_process(const struct context *context);

/*
 * One kernel request; 0 or -errno. The kinds that are steps of the launch itself (OP_HOLD, OP_AWAIT_START,
 * OP_INIT, OP_FIND_EXEC, OP_EXEC) are the child's (child.c).
 */
int op_apply(struct context *context, const struct plan_op *op);

/* True if the op's failure with this errno is none. */
bool op_tolerates(const struct plan_op *op, int error);

/* Opens /proc/CHILD/NAME; a descriptor or -errno. */
int open_child_proc(const struct context *context, const char *name, int flags);

/* The descriptor in a slot; -EBADF for an empty one, which *at calls could take for a directory. */
int slot_get(const struct slots *slots, uint64_t slot);
/* Fills a slot with a new descriptor (or passes -errno through) and closes what it held. */
int slot_put(struct slots *slots, uint64_t slot, long fd);

#endif
