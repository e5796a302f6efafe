// SPDX-License-Identifier: Apache-2.0
/* op_root.c: the root and the working directory: where paths begin. */
#include "op_kinds.h"

#include <limits.h>

#include "syscalls.h"

static int fchdir_slot(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	if (fd < 0)
		return fd;
	return fchdir(fd) < 0 ? -errno : 0;
}

/* The kernel's own call: the function of the C library hides a path that is "(unreachable)". */
static int check_cwd(void)
{
	char path[PATH_MAX];

	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return errno == ENOENT ? -EXDEV : -errno;
	return path[0] == '/' ? 0 : -EXDEV;
}

int apply_root_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_FCHDIR:
		return fchdir_slot(context, op);
	case OP_CHDIR:
		return chdir(op_string(context, op, 0)) < 0 ? -errno : 0;
	case OP_PIVOT_ROOT:
		return (int)sys_pivot_root(op_string(context, op, 0), op_string(context, op, 1));
	case OP_CHROOT:
		return chroot(op_string(context, op, 0)) < 0 ? -errno : 0;
	case OP_CHECK_CWD:
		return check_cwd();
	default:
		return -ENOSYS;
	}
}
