// SPDX-License-Identifier: Apache-2.0
/* op_mounts.c: mounts, by mount(2) and by the calls that give them descriptors. */
#include "op_kinds.h"

#include <fcntl.h>

#include "syscalls.h"

/*
 * A file cannot be gone to. What is mounted on one is another file or directory, bound; with the new
 * mount API that needs neither a second look at the target's path nor a procfs.
 */
static int bind_on_file(int target, const char *source, uint64_t flags)
{
	unsigned int tree_flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	if (!(flags & MS_BIND) || flags & MS_REMOUNT)
		return -ENOTDIR;
	if (flags & MS_REC)
		tree_flags |= AT_RECURSIVE;
	autoclose int tree = (int)sys_open_tree(AT_FDCWD, source, tree_flags);
	if (tree < 0)
		return tree;
	return (int)sys_move_mount(tree, "", target, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/*
 * mount(2) takes its target by path only. For a directory that was resolved before, "." from inside
 * it is that very directory: nobody can exchange it, and no procfs is needed as with /proc/self/fd/N.
 * The working directory is put back (relative paths in `options`, as lowerdir=, do not work here).
 */
static int mount_on_slot(const struct context *context, const struct plan_op *op, int target)
{
	const char *source = op_string_or_null(context, op, 0);
	autoclose int back = -1;
	int mounted;

	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0)
		return -errno;
	if (fchdir(target) < 0)
		return errno == ENOTDIR ? bind_on_file(target, source, op->num[0]) : -errno;
	mounted = (int)sys_mount(source, ".", op_string_or_null(context, op, 1), op->num[0],
				 op_string_or_null(context, op, 2));
	if (fchdir(back) < 0)
		return -errno;
	return mounted;
}

static int mount_op(const struct context *context, const struct plan_op *op)
{
	int target = slot_get(&context->slots, op->num[1]);

	if (target == -EBADF)
		return target;
	if (target != AT_FDCWD)
		return mount_on_slot(context, op, target);
	return (int)sys_mount(op_string_or_null(context, op, 0), op_string(context, op, 3),
			      op_string_or_null(context, op, 1), op->num[0],
			      op_string_or_null(context, op, 2));
}

static int open_tree_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	return slot_put(&context->slots, op->num[2],
			sys_open_tree(dir, op_string(context, op, 0),
				      (unsigned int)op->num[1] | OPEN_TREE_CLOEXEC));
}

static int mount_setattr_slot(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);
	uint32_t userns_slot_1 = (uint32_t)op->num[3];
	struct mount_attr attr = {
		.attr_set = op->num[2] >> 32,
		.attr_clr = (uint32_t)op->num[2],
		.propagation = op->num[3] >> 32,
	};

	if (fd < 0)
		return fd;
	if (userns_slot_1) {
		int userns = slot_get(&context->slots, userns_slot_1 - 1);

		if (userns < 0)
			return userns;
		attr.userns_fd = (uint64_t)userns;
	}
	return (int)sys_mount_setattr(fd, "", (unsigned int)op->num[1] | AT_EMPTY_PATH, &attr);
}

static int move_mount_slot(const struct context *context, const struct plan_op *op)
{
	int from = slot_get(&context->slots, op->num[0]);
	int to = slot_get(&context->slots, op->num[1]);
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH;

	if (from < 0 || to == -EBADF)
		return -EBADF;
	if (to != AT_FDCWD)
		flags |= MOVE_MOUNT_T_EMPTY_PATH;
	return (int)sys_move_mount(from, "", to, op_string(context, op, 0), flags);
}

static int fsconfig_slot(const struct context *context, const struct plan_op *op)
{
	int fs = slot_get(&context->slots, op->num[0]);
	uint32_t command = (uint32_t)op->num[1];
	bool has_value = command == FSCONFIG_SET_STRING || command == FSCONFIG_SET_PATH ||
			 command == FSCONFIG_SET_PATH_EMPTY;
	int aux = 0;

	if (fs < 0)
		return fs;
	if (command == FSCONFIG_SET_PATH || command == FSCONFIG_SET_PATH_EMPTY)
		aux = AT_FDCWD;
	if ((int64_t)op->num[2] != -1) {
		aux = slot_get(&context->slots, op->num[2]);
		if (aux < 0)
			return aux;
	}
	return (int)sys_fsconfig(fs, command, op_string_or_null(context, op, 0),
				 has_value ? op_string(context, op, 1) : NULL, aux);
}

static int fsmount_into(struct context *context, const struct plan_op *op)
{
	int fs = slot_get(&context->slots, op->num[0]);

	if (fs < 0)
		return fs;
	return slot_put(&context->slots, op->num[2],
			sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)op->num[1]));
}

int apply_mount_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_MOUNT:
		return mount_op(context, op);
	case OP_UMOUNT:
		return (int)sys_umount2(op_string(context, op, 0), (int)op->num[0]);
	case OP_OPEN_TREE:
		return open_tree_into(context, op);
	case OP_MOUNT_SETATTR:
		return mount_setattr_slot(context, op);
	case OP_MOVE_MOUNT:
		return move_mount_slot(context, op);
	case OP_FSOPEN:
		return slot_put(&context->slots, op->num[0],
				sys_fsopen(op_string(context, op, 0), FSOPEN_CLOEXEC));
	case OP_FSCONFIG:
		return fsconfig_slot(context, op);
	case OP_FSMOUNT:
		return fsmount_into(context, op);
	default:
		return -ENOSYS;
	}
}
