// SPDX-License-Identifier: Apache-2.0
/* launch_follow.c: see launch_steps.h. What the child says on its way to execve, and what we answer. */
#include "launch_steps.h"

#include <poll.h>
#include <sys/socket.h>

#include "listener.h"
#include "pty.h"
#include "report.h"
#include "signals.h"
#include "syscalls.h"

void launch_let_child_go(const struct launch *launch)
{
	/* A dead child is found out by its end of file. */
	(void)!send(launch->sync, "G", 1, MSG_NOSIGNAL);
}

static int deliver_listener(struct launch *launch, uint32_t index, int listener)
{
	const struct plan *plan = launch->plan;
	const struct plan_op *op = &plan->ops[index];

	int error = listener_deliver(plan->blob + op->str[0], plan->blob + op->str[3], op->data_size,
				     launch->context->child, listener);

	if (error < 0)
		launch->blamed = index;
	return error;
}

/* One message of the child's; -errno for what breaks the rules between the two. */
static int take_message(struct launch *launch, const struct report *message, int fd)
{
	if (message->kind == REPORT_PTY_MASTER && fd >= 0 && launch->stdio.pty_master < 0) {
		launch->stdio.pty_master = fd;
		return 0;
	}
	if (message->kind == REPORT_LISTENER && fd >= 0 && message->op_index < launch->plan->header->op_count) {
		int done = deliver_listener(launch, message->op_index, fd);

		launch_close_fd(&fd);
		return done;
	}
	launch_close_fd(&fd);
	switch (message->kind) {
	case REPORT_WARNED:
		report(FD_CONTROL, REPORT_WARNED, message->op_index, message->error, 0);
		return 0;
	case REPORT_PHASE:
		/* With our clock: the child's may be another, in a time namespace. */
		launch_mark(launch, message->op_index);
		return 0;
	case REPORT_FAULT:
		launch_inject_fault(launch);
		launch_let_child_go(launch);
		return 0;
	case REPORT_CREATED:
		launch->held = true;
		report(FD_CONTROL, REPORT_CREATED, REPORT_NO_OP, 0, launch->context->child);
		return 0;
	case REPORT_WAITING:
		launch->left = true;
		report(FD_CONTROL, REPORT_WAITING, REPORT_NO_OP, 0, launch->context->child);
		return 0;
	default:
		return -EPROTO;
	}
}

/* CONTROL_GO lets the child go on. The end of file before it, or anything else, ends the launch. */
static int take_command(struct launch *launch)
{
	char command;
	ssize_t size = recv(FD_CONTROL, &command, 1, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (size == 0)
		return -ECANCELED;
	if (command != CONTROL_GO)
		return -EPROTO;
	launch->held = false;
	launch_let_child_go(launch);
	return 0;
}

/* 1 when the child has closed its end (by exec or by death), 0 to go on, or -errno. */
static int take_turn(struct launch *launch)
{
	struct pollfd fds[2] = {
		{ .fd = launch->sync, .events = POLLIN },
		{ .fd = launch->held ? FD_CONTROL : -1, .events = POLLIN },
	};
	struct report message;
	int received, fd;

	if (ppoll(fds, 2, NULL, signals_waiting_mask()) < 0) {
		if (errno != EINTR)
			return -errno;
		return signals_interrupted() ? -EINTR : 0;
	}
	if (fds[0].revents) {
		received = pty_receive(launch->sync, &message, &fd);
		if (received <= 0)
			return received < 0 ? received : 1;
		return take_message(launch, &message, fd);
	}
	return fds[1].revents ? take_command(launch) : 0;
}

struct failure launch_follow(struct launch *launch)
{
	int turn;

	do
		turn = take_turn(launch);
	while (turn == 0 && !launch->left);
	if (turn < 0)
		return failed(launch->blamed, turn);
	if (launch->left)
		return success;
	switch (launch->progress->state) {
	case PROGRESS_EXEC:
		return success;
	case PROGRESS_FAILED:
		return failed(launch->progress->op, launch->progress->error);
	default:
		/* Killed at this op, by somebody or by the kernel. */
		return failed(launch->progress->op, -EOWNERDEAD);
	}
}
