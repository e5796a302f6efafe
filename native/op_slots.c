// SPDX-License-Identifier: Apache-2.0
/* op_slots.c: the slots that ops hand descriptors on in, and which of them the program keeps. */
#include "op_kinds.h"

#include <fcntl.h>

#include "syscalls.h"

int slot_get(const struct slots *slots, uint64_t slot)
{
	if ((int64_t)slot == SLOT_CWD)
		return AT_FDCWD;
	return slots->fd[slot] < 0 ? -EBADF : slots->fd[slot];
}

int slot_put(struct slots *slots, uint64_t slot, long fd)
{
	if (fd < 0)
		return (int)fd;
	if (slots->fd[slot] >= 0)
		close(slots->fd[slot]);
	slots->fd[slot] = (int)fd;
	return 0;
}

static int close_slot(struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	if (fd < 0)
		return fd;
	close(fd);
	context->slots.fd[op->num[0]] = -1;
	return 0;
}

static int close_slots(struct context *context, const struct plan_op *op)
{
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++) {
		if (slot == op->num[0] || slot == op->num[1] || context->slots.fd[slot] < 0)
			continue;
		close(context->slots.fd[slot]);
		context->slots.fd[slot] = -1;
	}
	return 0;
}

static int lift(int *fd, int above)
{
	int lifted;

	if (*fd < 3 || *fd >= above)
		return 0;
	lifted = fcntl(*fd, F_DUPFD_CLOEXEC, above);
	if (lifted < 0)
		return -errno;
	close(*fd);
	*fd = lifted;
	return 0;
}

/* What we still need ourselves makes room first. */
static int keep_fds(struct context *context, const struct plan_op *op)
{
	const unsigned int count = (unsigned int)op->num[1];
	const int above = 3 + (int)count;
	int done = lift(&context->report_fd, above);

	for (unsigned int slot = 0; slot < SLOT_COUNT && done == 0; slot++)
		done = lift(&context->slots.fd[slot], above);
	for (unsigned int i = 0; i < count && done == 0; i++) {
		int fd = slot_get(&context->slots, op->num[0] + i);

		/* The copy does not have close-on-exec. */
		done = fd < 0 ? fd : dup2(fd, 3 + (int)i) < 0 ? -errno : 0;
	}
	if (done == 0)
		context->kept_fds = count;
	return done;
}

int apply_slot_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_CLOSE:
		return close_slot(context, op);
	case OP_CLOSE_SLOTS:
		return close_slots(context, op);
	case OP_KEEP_FDS:
		return keep_fds(context, op);
	case OP_CLOSE_RANGE:
		return (int)sys_close_range((unsigned int)op->num[0], ~0u, CLOSE_RANGE_CLOEXEC);
	default:
		return -ENOSYS;
	}
}
