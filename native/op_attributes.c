// SPDX-License-Identifier: Apache-2.0
/*
 * op_attributes.c: what a program gets from who executes it: limits, scheduling, memory policy, umask,
 * personality.
 */
#include "op_kinds.h"

#include <sys/personality.h>
#include <sys/stat.h>

#include "syscalls.h"

static int set_rlimit(const struct plan_op *op)
{
	const struct {
		uint64_t soft, hard;
	} limit = { op->num[1], op->num[2] };

	return (int)result(syscall(SYS_prlimit64, 0, (int)op->num[0], &limit, NULL));
}

static int set_mempolicy_op(const struct context *context, const struct plan_op *op)
{
	/* The kernel reads one bit less than it is told, get_nodes() of mm/mempolicy.c. */
	unsigned long bits = op->data_size ? op->data_size * 8ul + 1 : 0;

	return (int)result(syscall(SYS_set_mempolicy, (int)op->num[0],
				   op->data_size ? op_data(context, op) : NULL, bits));
}

int apply_attribute_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_PRLIMIT:
		return set_rlimit(op);
	case OP_SCHED_SETAFFINITY:
		return (int)result(syscall(SYS_sched_setaffinity, 0, op->data_size, op_data(context, op)));
	case OP_SCHED_SETATTR:
		return (int)result(syscall(SYS_sched_setattr, 0, op_data(context, op), 0));
	case OP_IOPRIO_SET:
		return (int)result(syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, op->num[0]));
	case OP_SET_MEMPOLICY:
		return set_mempolicy_op(context, op);
	case OP_UMASK:
		umask((mode_t)op->num[0]);
		context->umask_set = true;
		return 0;
	case OP_PERSONALITY:
		return personality((unsigned long)op->num[0]) < 0 ? -errno : 0;
	default:
		return -ENOSYS;
	}
}
