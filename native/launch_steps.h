/* SPDX-License-Identifier: Apache-2.0 */
/* launch_steps.h: a launch under way, and the steps that launch.c puts in order. */
#ifndef TSRUN_LAUNCH_STEPS_H
#define TSRUN_LAUNCH_STEPS_H

#include <stdbool.h>
#include <unistd.h>

#include "child.h"

/* A launch under way. Descriptors are -1 and the child 0 until there is one. */
struct launch {
	struct context *context;
	const struct plan *plan;
	volatile struct progress *progress;
	struct exec_vectors exec;
	struct stdio stdio;
	int child_stdio[3];
	int sync;                       /* the stage's end of the socket to the child */
	int pidfd;
	pid_t self;                     /* the stage's pid */
	int mounts;                     /* the child's mount namespace, PLAN_HOLD_MOUNTS */
	bool relaying;
	bool held;                      /* at OP_HOLD */
	bool left;                      /* at OP_AWAIT_START: the child needs us no more */
	uint32_t blamed;                /* the child's op that we failed to finish, or REPORT_NO_OP */
};

/* What ended a launch. */
struct failure {
	uint32_t op;
	int error;                      /* -errno, 0 for none */
};

static const struct failure success = { REPORT_NO_OP, 0 };

static inline struct failure failed(uint32_t op, int error)
{
	return (struct failure){ op, error };
}

static inline void launch_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Reports a point of time that was asked for, PLAN_TIMINGS. */
void launch_mark(const struct launch *launch, enum report_phase point);

/* For the tests of "nothing is lost": the kill -9 that a user may send at any instruction. */
void launch_inject_fault(const struct launch *launch);

/* The plan's ops from one index up to another, until one fails. */
struct failure launch_run_ops(struct launch *launch, uint32_t from, uint32_t to);
struct failure launch_run_phase(struct launch *launch, enum plan_phase phase);

/*
 * All of it, whatever fails: after a launch that went wrong half of what it undoes does not exist. A
 * failure that does not say so is told, for something stays behind.
 */
void launch_tear_down(struct launch *launch);

/* The host op at which a proxy takes over, or the end of the host ops. */
uint32_t launch_proxy_start(const struct plan *plan);

/* Whether the stage has something to do to the child before it begins (or is gone again). */
bool launch_child_waits(const struct plan *plan);

/* Makes the child with its stdio: pidfd, sync, child and progress are there after it. Returns in the stage. */
struct failure launch_clone(struct launch *launch, mode_t umask);

void launch_let_child_go(const struct launch *launch);

/*
 * Until the child has executed its program. The end of file alone does not say so: a child that was
 * killed closes its end too. The page that it shares with us tells how far it had come.
 */
struct failure launch_follow(struct launch *launch);

#endif
