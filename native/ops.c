// SPDX-License-Identifier: Apache-2.0
/* ops.c: see ops.h. The requests themselves are the cases of op_*.c; here is what holds for every kind. */
#include "ops.h"

#include <poll.h>
#include <sys/prctl.h>

#include "op_kinds.h"
#include "syscalls.h"

bool op_tolerates(const struct plan_op *op, int error)
{
	return error < 0 && (op->tolerate[0] == -error || op->tolerate[1] == -error);
}

void guard_process(const struct context *context)
{
	struct pollfd peer = { .fd = context->report_fd };

	sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);
	if (!context->dies_with_peer)
		return;
	sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (poll(&peer, 1, 0) > 0 && peer.revents & (POLLHUP | POLLERR))
		_exit(1);
}

static bool changes_credentials(uint16_t kind)
{
	switch (kind) {
	case OP_SETRESUID:
	case OP_SETRESGID:
	case OP_CAPSET:
	case OP_SETNS:
	case OP_UNSHARE:
		return true;
	default:
		return false;
	}
}

/* No kind is in two files, so an ENOSYS of the kernel's own ends as one, too. */
static int apply(struct context *context, const struct plan_op *op)
{
	static int (*const files[])(struct context *, const struct plan_op *) = {
		apply_mount_op, apply_file_op, apply_node_op, apply_root_op, apply_slot_op,
		apply_namespace_op, apply_credential_op, apply_attribute_op, apply_filter_op,
		apply_terminal_op,
	};
	int done = -ENOSYS;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && done == -ENOSYS; i++)
		done = files[i](context, op);
	return done;
}

int op_apply(struct context *context, const struct plan_op *op)
{
	int done = apply(context, op);

	if (done >= 0 && changes_credentials(op->kind))
		guard_process(context);
	return done;
}
