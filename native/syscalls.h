/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls.h: system calls that musl has no function for, or whose function does more than the call
 * (setresuid(3) and its kin synchronise threads, which is not for a process between clone and exec).
 * All return the kernel's result, or -errno.
 */
#ifndef TSRUN_SYSCALLS_H
#define TSRUN_SYSCALLS_H

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif

union bpf_attr;
struct sock_fprog;

static inline long result(long returned)
{
	return returned < 0 ? -errno : returned;
}

/* Where a seccomp filter forbids to end, which _exit(3) tries for ever, a fault ends the process. */
static inline _Noreturn void sys_exit_group(int status)
{
	syscall(SYS_exit_group, status);
	__builtin_trap();
}

static inline long sys_clone3(struct clone_args *args)
{
	return result(syscall(SYS_clone3, args, sizeof(*args)));
}

static inline long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return result(syscall(SYS_close_range, first, last, flags));
}

static inline long sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode,
			       uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };

	return result(syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

static inline long sys_pidfd_send_signal(int pidfd, int signal)
{
	return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

static inline long sys_mount(const char *source, const char *target, const char *type,
			     unsigned long flags, const char *options)
{
	return result(syscall(SYS_mount, source, target, type, flags, options));
}

static inline long sys_umount2(const char *target, int flags)
{
	return result(syscall(SYS_umount2, target, flags));
}

static inline long sys_open_tree(int dir, const char *path, unsigned int flags)
{
	return result(syscall(SYS_open_tree, dir, path, flags));
}

static inline long sys_move_mount(int from, const char *from_path, int to, const char *to_path,
				  unsigned int flags)
{
	return result(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

static inline long sys_fsopen(const char *type, unsigned int flags)
{
	return result(syscall(SYS_fsopen, type, flags));
}

static inline long sys_fsconfig(int fd, unsigned int command, const char *key, const char *value,
				int aux)
{
	return result(syscall(SYS_fsconfig, fd, command, key, value, aux));
}

static inline long sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	return result(syscall(SYS_fsmount, fd, flags, attributes));
}

static inline long sys_mount_setattr(int fd, const char *path, unsigned int flags,
				     struct mount_attr *attr)
{
	return result(syscall(SYS_mount_setattr, fd, path, flags, attr, sizeof(*attr)));
}

static inline long sys_pivot_root(const char *new_root, const char *put_old)
{
	return result(syscall(SYS_pivot_root, new_root, put_old));
}

static inline long sys_setns(int fd, int flags)
{
	return result(syscall(SYS_setns, fd, flags));
}

static inline long sys_unshare(unsigned long flags)
{
	return result(syscall(SYS_unshare, flags));
}

static inline long sys_bpf(int command, union bpf_attr *attr, unsigned int size)
{
	return result(syscall(SYS_bpf, command, attr, size));
}

static inline long sys_seccomp(unsigned int operation, unsigned int flags, struct sock_fprog *program)
{
	return result(syscall(SYS_seccomp, operation, flags, program));
}

static inline long sys_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4)
{
	return result(syscall(SYS_prctl, option, arg2, arg3, arg4, 0UL));
}

static inline long sys_keyctl_join(const char *name)
{
	return result(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, name));
}

static inline long sys_getdents64(int fd, void *buffer, size_t size)
{
	return result(syscall(SYS_getdents64, fd, buffer, size));
}

/* A file descriptor that closes itself: autoclose int fd = open(…); */
static inline void close_descriptor(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define autoclose __attribute__((cleanup(close_descriptor)))

#endif
