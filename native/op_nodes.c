// SPDX-License-Identifier: Apache-2.0
/* op_nodes.c: the entries of directories: made, removed, given away, or checked to be what they seem. */
#include "op_kinds.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "paths.h"
#include "syscalls.h"

/* mknod, symlink and chown name an entry of a directory; links on the way stay below the slot. */
static int in_parent(const struct context *context, const struct plan_op *op, int name_index,
		     int (*act)(const struct context *, const struct plan_op *, int dir, const char *name))
{
	int dir = slot_get(&context->slots, op->num[0]);
	const char *name;

	if (dir == -EBADF)
		return dir;
	autoclose int parent = open_parent(dir, op_string(context, op, name_index), &name);
	return parent < 0 ? parent : act(context, op, parent, name);
}

static int mknod_at(const struct context *context, const struct plan_op *op, int dir, const char *name)
{
	(void)context;
	return mknodat(dir, name, (mode_t)op->num[1], (dev_t)op->num[2]) < 0 ? -errno : 0;
}

static int check_node_at(const struct context *context, const struct plan_op *op, int dir, const char *name)
{
	const mode_t type = (mode_t)op->num[1] & S_IFMT;
	struct stat found;

	(void)context;
	if (fstatat(dir, name, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((found.st_mode & S_IFMT) != type)
		return -EEXIST;
	return S_ISFIFO(type) || found.st_rdev == (dev_t)op->num[2] ? 0 : -EEXIST;
}

static int symlink_at(const struct context *context, const struct plan_op *op, int dir, const char *name)
{
	return symlinkat(op_string(context, op, 0), dir, name) < 0 ? -errno : 0;
}

static int chown_at(const struct context *context, const struct plan_op *op, int dir, const char *name)
{
	int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);

	(void)context;
	return fchownat(dir, name, (uid_t)op->num[1], (gid_t)op->num[2], flags) < 0 ? -errno : 0;
}

/* An empty name is the slot itself. */
static int chown_op(const struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (*op_string(context, op, 0))
		return in_parent(context, op, 0, chown_at);
	return dir < 0 ? -EBADF : chown_at(context, op, dir, "");
}

static int mkdir_below_slot(const struct context *context, const struct plan_op *op)
{
	int root = slot_get(&context->slots, op->num[0]);

	return root < 0 ? root : mkdir_below(root, op_string(context, op, 0), (mode_t)op->num[1]);
}

int apply_node_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_MKDIR:
		return mkdir(op_string(context, op, 0), (mode_t)op->num[0]) < 0 ? -errno : 0;
	case OP_RMDIR:
		return rmdir_retrying(op_string(context, op, 0), (unsigned int)op->num[0]);
	case OP_UNLINK:
		return unlink(op_string(context, op, 0)) < 0 ? -errno : 0;
	case OP_MKDIR_BELOW:
		return mkdir_below_slot(context, op);
	case OP_MKNOD:
		return in_parent(context, op, 0, mknod_at);
	case OP_CHECK_NODE:
		return in_parent(context, op, 0, check_node_at);
	case OP_SYMLINK:
		return in_parent(context, op, 1, symlink_at);
	case OP_CHOWN:
		return chown_op(context, op);
	case OP_FCHOWN:
		return fchown((int)op->num[0], (uid_t)op->num[1], (gid_t)op->num[2]) < 0 ? -errno : 0;
	default:
		return -ENOSYS;
	}
}
