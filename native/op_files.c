// SPDX-License-Identifier: Apache-2.0
/* op_files.c: files that are opened, written, or checked to be what they seem. */
#include "op_kinds.h"

#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "paths.h"
#include "syscalls.h"
#include "text.h"

#define CREATED_FILE_MODE 0644

/* cgroup and /proc files take a value with one write(2) or not at all. */
static int write_once(int fd, const void *bytes, size_t size)
{
	ssize_t written = write(fd, bytes, size);

	if (written < 0)
		return -errno;
	return (size_t)written == size ? 0 : -EIO;
}

static int check_fs(int fd, uint64_t magic, bool is)
{
	struct statfs found;

	if (fstatfs(fd, &found) < 0)
		return -errno;
	return ((uint64_t)found.f_type == magic) == is ? 0 : -EXDEV;
}

static int write_file(const struct context *context, const struct plan_op *op)
{
	/* Not over a mount point either: what is mounted there is not what the plan means (CVE-2025-52881). */
	const uint64_t below = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
			       RESOLVE_NO_XDEV;
	const uint64_t flags = op->num[1] | O_WRONLY | O_CLOEXEC;
	const uint64_t mode = flags & O_CREAT ? CREATED_FILE_MODE : 0;
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	autoclose int fd = openat2_retrying(dir, op_string(context, op, 0), flags, mode,
					    dir == AT_FDCWD ? 0 : below);
	if (fd < 0)
		return fd;
	/* A label that went into a file of somebody's would be none (CVE-2019-16884). */
	if (dir == AT_FDCWD && !strncmp(op_string(context, op, 0), "/proc/", 6)) {
		int genuine = check_fs(fd, PROC_SUPER_MAGIC, true);

		if (genuine < 0)
			return genuine;
	}
	return write_once(fd, op_data(context, op), op->data_size);
}

int open_child_proc(const struct context *context, const char *name, int flags)
{
	char bytes[64];
	struct text path = text_in(bytes, sizeof(bytes));
	int fd;

	text_string(&path, "/proc/");
	text_number(&path, (uint64_t)context->child);
	text_string(&path, "/");
	text_string(&path, name);
	if (path.cut)
		return -ENAMETOOLONG;
	fd = open(bytes, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int genuine = flags & O_WRONLY ? check_fs(fd, PROC_SUPER_MAGIC, true) : 0;
	if (genuine < 0)
		close(fd);
	return genuine < 0 ? genuine : fd;
}

static int write_proc(const struct context *context, const struct plan_op *op)
{
	autoclose int fd = open_child_proc(context, op_string(context, op, 0), O_WRONLY);

	return fd < 0 ? fd : write_once(fd, op_data(context, op), op->data_size);
}

static int open_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	int fd = openat(dir, op_string(context, op, 0), (int)op->num[1] | O_CLOEXEC);
	return slot_put(&context->slots, op->num[2], fd < 0 ? -errno : fd);
}

static int openat2_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	return slot_put(&context->slots, op->num[3],
			openat2_retrying(dir, op_string(context, op, 0),
					 (uint32_t)op->num[1] | O_CLOEXEC, op->num[1] >> 32,
					 op->num[2]));
}

static int check_fs_op(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	return fd < 0 ? fd : check_fs(fd, op->num[1], op->num[2]);
}

int apply_file_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_WRITE_FILE:
		return write_file(context, op);
	case OP_WRITE_PROC:
		return write_proc(context, op);
	case OP_OPEN:
		return open_into(context, op);
	case OP_OPENAT2:
		return openat2_into(context, op);
	case OP_CHECK_FS:
		return check_fs_op(context, op);
	default:
		return -ENOSYS;
	}
}
