// SPDX-License-Identifier: Apache-2.0
/*
 * ops.c: one case, one kernel request. The plan has been checked: slots are in range, strings are
 * terminated, data is as large as it says. All of it is fit to run between clone and exec: system
 * calls and stack, no allocation (signal-safety(7)).
 */
#include "ops.h"

#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <termios.h>

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "listener.h"
#include "netlink.h"
#include "paths.h"
#include "pty.h"
#include "syscalls.h"
#include "text.h"

#define CREATED_FILE_MODE 0644

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

bool op_tolerates(const struct plan_op *op, int error)
{
	return error < 0 && (op->tolerate[0] == -error || op->tolerate[1] == -error);
}

static const char *string(const struct context *context, const struct plan_op *op, int index)
{
	return context->plan->blob + op->str[index];
}

/* What the kernel takes as a null pointer where the plan has an empty string. */
static const char *string_or_null(const struct context *context, const struct plan_op *op, int index)
{
	const char *text = string(context, op, index);

	return *text ? text : NULL;
}

static const void *data(const struct context *context, const struct plan_op *op)
{
	return context->plan->blob + op->str[3];
}

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
	autoclose int fd = openat2_retrying(dir, string(context, op, 0), flags, mode,
					    dir == AT_FDCWD ? 0 : below);
	if (fd < 0)
		return fd;
	/* A label that went into a file of somebody's would be none (CVE-2019-16884). */
	if (dir == AT_FDCWD && !strncmp(string(context, op, 0), "/proc/", 6)) {
		int genuine = check_fs(fd, PROC_SUPER_MAGIC, true);

		if (genuine < 0)
			return genuine;
	}
	return write_once(fd, data(context, op), op->data_size);
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
	autoclose int fd = open_child_proc(context, string(context, op, 0), O_WRONLY);

	return fd < 0 ? fd : write_once(fd, data(context, op), op->data_size);
}

static int open_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	int fd = openat(dir, string(context, op, 0), (int)op->num[1] | O_CLOEXEC);
	return slot_put(&context->slots, op->num[2], fd < 0 ? -errno : fd);
}

static int openat2_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	return slot_put(&context->slots, op->num[3],
			openat2_retrying(dir, string(context, op, 0),
					 (uint32_t)op->num[1] | O_CLOEXEC, op->num[1] >> 32,
					 op->num[2]));
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

static int setns_slot(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	return fd < 0 ? fd : (int)sys_setns(fd, (int)op->num[1]);
}

static int bpf_prog_load(struct context *context, const struct plan_op *op)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = (uint32_t)op->num[0];
	attr.expected_attach_type = (uint32_t)op->num[1];
	attr.insns = (uintptr_t)data(context, op);
	attr.insn_cnt = op->data_size / (uint32_t)sizeof(struct bpf_insn);
	attr.license = (uintptr_t)"Apache-2.0";
	return slot_put(&context->slots, op->num[2], sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int bpf_prog_attach(const struct context *context, const struct plan_op *op)
{
	int program = slot_get(&context->slots, op->num[0]);
	int target = slot_get(&context->slots, op->num[1]);
	union bpf_attr attr;

	if (program < 0 || target < 0)
		return -EBADF;
	memset(&attr, 0, sizeof(attr));
	attr.attach_bpf_fd = (uint32_t)program;
	attr.target_fd = (uint32_t)target;
	attr.attach_type = (uint32_t)op->num[2];
	attr.attach_flags = (uint32_t)op->num[3];
	return (int)sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

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
	const char *source = string_or_null(context, op, 0);
	autoclose int back = -1;
	int mounted;

	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0)
		return -errno;
	if (fchdir(target) < 0)
		return errno == ENOTDIR ? bind_on_file(target, source, op->num[0]) : -errno;
	mounted = (int)sys_mount(source, ".", string_or_null(context, op, 1), op->num[0],
				 string_or_null(context, op, 2));
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
	return (int)sys_mount(string_or_null(context, op, 0), string(context, op, 3),
			      string_or_null(context, op, 1), op->num[0],
			      string_or_null(context, op, 2));
}

static int open_tree_into(struct context *context, const struct plan_op *op)
{
	int dir = slot_get(&context->slots, op->num[0]);

	if (dir == -EBADF)
		return dir;
	return slot_put(&context->slots, op->num[2],
			sys_open_tree(dir, string(context, op, 0),
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
	return (int)sys_move_mount(from, "", to, string(context, op, 0), flags);
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
	return (int)sys_fsconfig(fs, command, string_or_null(context, op, 0),
				 has_value ? string(context, op, 1) : NULL, aux);
}

static int fsmount_into(struct context *context, const struct plan_op *op)
{
	int fs = slot_get(&context->slots, op->num[0]);

	if (fs < 0)
		return fs;
	return slot_put(&context->slots, op->num[2],
			sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)op->num[1]));
}

/* mknod, symlink and chown name an entry of a directory; links on the way stay below the slot. */
static int in_parent(const struct context *context, const struct plan_op *op, int name_index,
		     int (*act)(const struct context *, const struct plan_op *, int dir, const char *name))
{
	int dir = slot_get(&context->slots, op->num[0]);
	const char *name;

	if (dir == -EBADF)
		return dir;
	autoclose int parent = open_parent(dir, string(context, op, name_index), &name);
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
	return symlinkat(string(context, op, 0), dir, name) < 0 ? -errno : 0;
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

	if (*string(context, op, 0))
		return in_parent(context, op, 0, chown_at);
	return dir < 0 ? -EBADF : chown_at(context, op, dir, "");
}

static int fchdir_slot(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	if (fd < 0)
		return fd;
	return fchdir(fd) < 0 ? -errno : 0;
}

static int mkdir_below_slot(const struct context *context, const struct plan_op *op)
{
	int root = slot_get(&context->slots, op->num[0]);

	return root < 0 ? root : mkdir_below(root, string(context, op, 0), (mode_t)op->num[1]);
}

static int link_up(const char *name)
{
	struct ifreq request = { 0 };

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, strlen(name));
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int set_rlimit(const struct plan_op *op)
{
	const struct {
		uint64_t soft, hard;
	} limit = { op->num[1], op->num[2] };

	return (int)result(syscall(SYS_prlimit64, 0, (int)op->num[0], &limit, NULL));
}

/* Only what is there needs a privilege to drop: PR_CAPBSET_READ is EINVAL past the last capability. */
static int keep_bounding_set(uint64_t mask)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		long held = sys_prctl(PR_CAPBSET_READ, cap, 0, 0);

		if (held < 0)
			break;
		if (held && !(mask >> cap & 1)) {
			long dropped = sys_prctl(PR_CAPBSET_DROP, cap, 0, 0);

			if (dropped < 0)
				return (int)dropped;
		}
	}
	return 0;
}

static int set_ambient(uint64_t mask)
{
	long done = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);

	for (unsigned int cap = 0; cap < 64 && done >= 0; cap++)
		if (mask >> cap & 1)
			done = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0);
	return (int)done;
}

static int set_capabilities(const struct plan_op *op)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	for (int half = 0; half < 2; half++) {
		sets[half].effective = (uint32_t)(op->num[0] >> 32 * half);
		sets[half].permitted = (uint32_t)(op->num[1] >> 32 * half);
		sets[half].inheritable = (uint32_t)(op->num[2] >> 32 * half);
	}
	return (int)result(syscall(SYS_capset, &header, sets));
}

static int set_seccomp(struct context *context, const struct plan_op *op)
{
	struct sock_fprog program = {
		.len = (unsigned short)(op->data_size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)data(context, op),
	};
	long listener = sys_seccomp(SECCOMP_SET_MODE_FILTER, (unsigned int)op->num[0], &program);

	if (listener < 0 || (int64_t)op->num[1] == -1)
		return (int)listener;
	return slot_put(&context->slots, op->num[1], listener);
}

static int netlink_op(const struct context *context, const struct plan_op *op)
{
	struct netlink_field netns = { (int64_t)op->num[1], (uint32_t)context->child };

	if ((int64_t)op->num[2] != -1) {
		int fd = slot_get(&context->slots, op->num[2]);

		if (fd < 0)
			return fd;
		netns.value = (uint32_t)fd;
	}
	return netlink_request(data(context, op), op->data_size, string(context, op, 0),
			       (int64_t)op->num[0], netns);
}

static int set_mempolicy_op(const struct context *context, const struct plan_op *op)
{
	/* The kernel reads one bit less than it is told, get_nodes() of mm/mempolicy.c. */
	unsigned long bits = op->data_size ? op->data_size * 8ul + 1 : 0;

	return (int)result(syscall(SYS_set_mempolicy, (int)op->num[0],
				   op->data_size ? data(context, op) : NULL, bits));
}

static int send_listener(const struct context *context, const struct plan_op *op)
{
	int listener = slot_get(&context->slots, op->num[0]);

	return listener < 0 ? listener :
	       listener_hand_over(context->report_fd, (unsigned int)(op - context->plan->ops), listener);
}

static int check_fs_op(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	return fd < 0 ? fd : check_fs(fd, op->num[1], op->num[2]);
}

/* The kernel's own call: the function of the C library hides a path that is "(unreachable)". */
static int check_cwd(void)
{
	char path[PATH_MAX];

	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return errno == ENOENT ? -EXDEV : -errno;
	return path[0] == '/' ? 0 : -EXDEV;
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

static int open_pty(struct context *context, const struct plan_op *op)
{
	int devpts = slot_get(&context->slots, op->num[0]);
	const struct winsize size = {
		.ws_row = (uint16_t)(op->num[1] >> 32),
		.ws_col = (uint16_t)op->num[1],
	};

	if (devpts < 0)
		return devpts;
	if ((int64_t)op->num[3] == -1)
		return slot_put(&context->slots, op->num[2],
				pty_open(devpts, &size, context->report_fd, NULL));
	int console = slot_get(&context->slots, op->num[3]);

	if (console < 0)
		return console;
	return slot_put(&context->slots, op->num[2],
			pty_open(devpts, &size, console, string(context, op, 0)));
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

static int stdio_pty(const struct context *context, const struct plan_op *op)
{
	int slave = slot_get(&context->slots, op->num[0]);

	return slave < 0 ? slave : pty_take_stdio(slave);
}

/* The parts of a launch that touch files and mounts. */
static int apply_file_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_MKDIR:
		return mkdir(string(context, op, 0), (mode_t)op->num[0]) < 0 ? -errno : 0;
	case OP_RMDIR:
		return rmdir_retrying(string(context, op, 0), (unsigned int)op->num[0]);
	case OP_UNLINK:
		return unlink(string(context, op, 0)) < 0 ? -errno : 0;
	case OP_WRITE_FILE:
		return write_file(context, op);
	case OP_WRITE_PROC:
		return write_proc(context, op);
	case OP_OPEN:
		return open_into(context, op);
	case OP_OPENAT2:
		return openat2_into(context, op);
	case OP_CLOSE:
		return close_slot(context, op);
	case OP_MOUNT:
		return mount_op(context, op);
	case OP_UMOUNT:
		return (int)sys_umount2(string(context, op, 0), (int)op->num[0]);
	case OP_OPEN_TREE:
		return open_tree_into(context, op);
	case OP_MOUNT_SETATTR:
		return mount_setattr_slot(context, op);
	case OP_MOVE_MOUNT:
		return move_mount_slot(context, op);
	case OP_FSOPEN:
		return slot_put(&context->slots, op->num[0],
				sys_fsopen(string(context, op, 0), FSOPEN_CLOEXEC));
	case OP_FSCONFIG:
		return fsconfig_slot(context, op);
	case OP_FSMOUNT:
		return fsmount_into(context, op);
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
	case OP_FCHDIR:
		return fchdir_slot(context, op);
	case OP_CHDIR:
		return chdir(string(context, op, 0)) < 0 ? -errno : 0;
	case OP_PIVOT_ROOT:
		return (int)sys_pivot_root(string(context, op, 0), string(context, op, 1));
	case OP_CHECK_FS:
		return check_fs_op(context, op);
	case OP_CHECK_CWD:
		return check_cwd();
	case OP_CLOSE_SLOTS:
		return close_slots(context, op);
	case OP_CHROOT:
		return chroot(string(context, op, 0)) < 0 ? -errno : 0;
	default:
		return -ENOSYS;
	}
}

/* The parts that change what the process is and may do. */
static int apply_process_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_SETNS:
		return setns_slot(context, op);
	case OP_UNSHARE:
		return (int)sys_unshare(op->num[0]);
	case OP_BPF_PROG_LOAD:
		return bpf_prog_load(context, op);
	case OP_BPF_PROG_ATTACH:
		return bpf_prog_attach(context, op);
	case OP_SETHOSTNAME:
		return (int)result(syscall(SYS_sethostname, string(context, op, 0),
					   strlen(string(context, op, 0))));
	case OP_SETDOMAINNAME:
		return (int)result(syscall(SYS_setdomainname, string(context, op, 0),
					   strlen(string(context, op, 0))));
	case OP_NETLINK:
		return netlink_op(context, op);
	case OP_SET_MEMPOLICY:
		return set_mempolicy_op(context, op);
	case OP_SEND_LISTENER:
		return send_listener(context, op);
	case OP_LINK_UP:
		return link_up(string(context, op, 0));
	case OP_PRLIMIT:
		return set_rlimit(op);
	case OP_PRCTL: {
		/* Some options return a value; only a failure is of interest. */
		long done = sys_prctl((int)op->num[0], op->num[1], op->num[2], op->num[3]);
		return done < 0 ? (int)done : 0;
	}
	case OP_SETGROUPS:
		return (int)result(syscall(SYS_setgroups, op->data_size / 4, data(context, op)));
	case OP_SETRESGID:
		return (int)result(syscall(SYS_setresgid, op->num[0], op->num[0], op->num[0]));
	case OP_SETRESUID:
		return (int)result(syscall(SYS_setresuid, op->num[0], op->num[0], op->num[0]));
	case OP_BOUNDING_SET:
		return keep_bounding_set(op->num[0]);
	case OP_CAPSET:
		return set_capabilities(op);
	case OP_AMBIENT_SET:
		return set_ambient(op->num[0]);
	case OP_UMASK:
		umask((mode_t)op->num[0]);
		context->umask_set = true;
		return 0;
	case OP_PERSONALITY:
		return personality((unsigned long)op->num[0]) < 0 ? -errno : 0;
	case OP_SCHED_SETAFFINITY:
		return (int)result(syscall(SYS_sched_setaffinity, 0, op->data_size, data(context, op)));
	case OP_SCHED_SETATTR:
		return (int)result(syscall(SYS_sched_setattr, 0, data(context, op), 0));
	case OP_IOPRIO_SET:
		return (int)result(syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, op->num[0]));
	case OP_SECCOMP:
		return set_seccomp(context, op);
	case OP_KEYRING: {
		long serial = sys_keyctl_join(string_or_null(context, op, 0));
		return serial < 0 ? (int)serial : 0;
	}
	case OP_SETSID:
		return setsid() < 0 ? -errno : 0;
	case OP_OPEN_PTY:
		return open_pty(context, op);
	case OP_STDIO_PTY:
		return stdio_pty(context, op);
	case OP_KEEP_FDS:
		return keep_fds(context, op);
	case OP_CLOSE_RANGE:
		return (int)sys_close_range((unsigned int)op->num[0], ~0u, CLOSE_RANGE_CLOEXEC);
	default:
		return -ENOSYS;
	}
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

int op_apply(struct context *context, const struct plan_op *op)
{
	int done = apply_file_op(context, op);

	if (done == -ENOSYS)
		done = apply_process_op(context, op);
	if (done >= 0 && changes_credentials(op->kind))
		guard_process(context);
	return done;
}
