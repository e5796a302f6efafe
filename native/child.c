// SPDX-License-Identifier: Apache-2.0
/*
 * child.c: the process between clone3 and execve. Only async-signal-safe calls and no allocation: all
 * that it needs was made before.
 */
#include "child.h"

#include <sys/stat.h>

#include "init.h"
#include "pty.h"
#include "report.h"
#include "signals.h"
#include "syscalls.h"

static _Noreturn void give_up(struct child *child, int error)
{
	uint32_t op = child->progress->op;

	child->progress->error = error;
	child->progress->state = PROGRESS_FAILED;
	if (child->result >= 0)
		report(child->result, REPORT_FAILED, op, -error, child->context->plan->ops[op].kind);
	sys_exit_group(1);
}

/* One byte from the stage: its go-ahead. Its end of file: the stage has gone, and so do we. */
static void wait_for_stage(const struct child *child)
{
	ssize_t size;
	char go;

	do
		size = read(child->context->report_fd, &go, 1);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		_exit(1);
}

/* What remains before the exec, done while any system call is still allowed. */
static int prepare_exec(const struct child *child)
{
	long closed = sys_close_range(3 + child->context->kept_fds, ~0u, CLOSE_RANGE_CLOEXEC);

	if (closed < 0)
		return (int)closed;
	if (!child->context->umask_set)
		umask(child->umask);
	if (child->context->plan->header->flags & PLAN_TIMINGS)
		report(child->context->report_fd, REPORT_PHASE, MARK_CHILD, 0, 0);
	if (child->result < 0)
		signals_restore();
	return 0;
}

/* "Before op N": the stage does it, for a pid namespace hides its pid and the caller's from us. */
static void inject_fault(const struct child *child)
{
	report(child->context->report_fd, REPORT_FAULT, child->progress->op, 0, 0);
	wait_for_stage(child);
}

/* From here on nobody looks after us but who has our descriptors' other ends. */
static int await_start(struct child *child, const struct plan_op *op)
{
	int start = slot_get(&child->context->slots, op->num[0]);
	int result = slot_get(&child->context->slots, op->num[1]);
	ssize_t size;
	char go;

	if (start < 0 || result < 0)
		return -EBADF;
	child->result = result;
	signals_end_process();
	report(child->context->report_fd, REPORT_WAITING, child->progress->op, 0, 0);
	close(child->context->report_fd);
	do
		size = read(start, &go, 1);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		return size < 0 ? -errno : -ECANCELED;
	return 0;
}

static int run_op(struct child *child, const struct plan_op *op)
{
	int done;

	switch (op->kind) {
	case OP_HOLD:
		report(child->context->report_fd, REPORT_CREATED, child->progress->op, 0, 0);
		wait_for_stage(child);
		return 0;
	case OP_AWAIT_START:
		return await_start(child, op);
	case OP_FIND_EXEC:
		return exec_find(&child->exec);
	case OP_INIT:
		done = init_split();
		if (done == 0)
			guard_process(child->context); /* fork(2) passes no death signal on */
		return done;
	case OP_EXEC:
		child->progress->state = PROGRESS_EXEC;
		return exec_run(&child->exec);
	default:
		return op_apply(child->context, op);
	}
}

static int take_stdio(const struct child *child)
{
	for (int fd = 0; fd <= 2; fd++)
		if (child->stdio[fd] >= 0 && dup2(child->stdio[fd], fd) < 0)
			return -errno;
	return 0;
}

static void run_ops(struct child *child)
{
	const struct plan *plan = child->context->plan;
	bool prepared = false;

	for (uint32_t i = plan->phase_start[PHASE_CHILD]; i < plan->phase_start[PHASE_CHILD + 1]; i++) {
		const struct plan_op *op = &plan->ops[i];
		int done;

		child->progress->op = i;
		if (plan->header->fault_op == i)
			inject_fault(child);
		if (!prepared && (op->kind == OP_SECCOMP || op->kind == OP_EXEC)) {
			done = prepare_exec(child);
			if (done < 0)
				give_up(child, done);
			prepared = true;
		}
		done = run_op(child, op);
		if (done >= 0) {
			i += op->skip_ok;
		} else if (op_tolerates(op, done)) {
			if (op->flags & OP_FLAG_WARN)
				report(child->context->report_fd, REPORT_WARNED, i, -done, 0);
			i += op->skip_failed;
		} else {
			give_up(child, done);
		}
	}
}

_Noreturn void child_main(struct child *child)
{
	struct context *context = child->context;
	int error;

	/* Ours is another; whoever reads its end of this one wants to see the stage's end, not ours. */
	close(FD_CONTROL);
	context->dies_with_peer = context->plan->header->flags & PLAN_CHILD_DIES_WITH_STAGE;
	guard_process(context);
	error = take_stdio(child);
	if (error < 0)
		give_up(child, error);
	if (child->waits)
		wait_for_stage(child);
	run_ops(child);
	/* The last op is an exec that either does not return or fails. */
	give_up(child, -ENOEXEC);
}
