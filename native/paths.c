// SPDX-License-Identifier: Apache-2.0
/* paths.c: see paths.h. */
#include "paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <linux/magic.h>

#include "report.h"
#include "syscalls.h"

#define MAX_LINKS 40 /* as the kernel's own limit, path_resolution(7) */
#define MAX_RACES 1000

int openat2_retrying(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	int fd = -EAGAIN;

	for (int tries = 0; tries < MAX_RACES && fd == -EAGAIN; tries++)
		fd = (int)sys_openat2(dir, path, flags, mode, resolve);
	return fd;
}

/*
 * With the fd's root as "/", the kernel itself resolves links and "..", atomically: a component that
 * is exchanged for a link at the last moment still ends below it.
 */
static int open_below(int root, const char *path, uint64_t flags)
{
	return openat2_retrying(root, path, O_PATH | O_CLOEXEC | flags, 0,
				RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int open_directory_below(int root, const char *path)
{
	return open_below(root, path, O_DIRECTORY);
}

/* What a path's end is asked to be: any file will do where a file is wanted. */
static uint64_t wanted_type(mode_t mode, bool at_end)
{
	return S_ISREG(mode) && at_end ? 0 : O_DIRECTORY;
}

/* Replaces the component [start, end) of path, a link below parent, by the link's target. */
static int splice_link(int parent, char *path, size_t start, size_t end)
{
	char target[PATH_MAX], name[NAME_MAX + 1];
	size_t rest = strlen(path + end) + 1;
	ssize_t size;

	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	size = readlinkat(parent, name, target, sizeof(target));
	if (size < 0)
		return -errno;
	if (size == 0 || (size_t)size == sizeof(target))
		return -ENAMETOOLONG;
	if (target[0] == '/')
		start = 0;
	if (start + (size_t)size + rest > PATH_MAX)
		return -ENAMETOOLONG;
	memmove(path + start + size, path + end, rest);
	memcpy(path + start, target, (size_t)size);
	return 0;
}

/*
 * Makes the component [start, end) of path in its parent. 0 if it now is a directory, 1 if it is a
 * link that was spliced into path, or -errno.
 */
static int make_component(int root, char *path, size_t start, size_t end, mode_t mode)
{
	const char after = path[end];
	autoclose int parent = -1;
	char before;
	int made;

	before = path[start];
	path[start] = '\0';
	parent = open_directory_below(root, start ? path : ".");
	path[start] = before;
	if (parent < 0)
		return parent;
	path[end] = '\0';
	/* S_IFREG asks for a file at the end of the path; on the way there are directories. */
	if (S_ISREG(mode) && !after)
		made = mknodat(parent, path + start, mode, 0) < 0 ? -errno : 0;
	else
		made = mkdirat(parent, path + start, S_ISREG(mode) ? 0755 : mode) < 0 ? -errno : 0;
	path[end] = after;
	if (made != -EEXIST)
		return made;
	/* Somebody else was faster, or it is a link to nowhere, or no directory at all. */
	path[end] = '\0';
	autoclose int there = open_below(parent, path + start, wanted_type(mode, !after));
	struct stat stat;
	int found = fstatat(parent, path + start, &stat, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	path[end] = after;
	if (found < 0)
		return found;
	if (S_ISLNK(stat.st_mode)) {
		int spliced = splice_link(parent, path, start, end);
		return spliced < 0 ? spliced : 1;
	}
	return there < 0 ? there : 0;
}

/* One pass along path: 0 when it exists whole, 1 when a link was spliced and it must begin again. */
static int make_missing(int root, char *path, mode_t mode)
{
	size_t end = 0;

	for (;;) {
		size_t start = end + strspn(path + end, "/");

		if (!path[start])
			return 0;
		end = start + strcspn(path + start, "/");
		if (end - start > NAME_MAX)
			return -ENAMETOOLONG;

		char after = path[end];
		path[end] = '\0';
		autoclose int fd = open_below(root, path, wanted_type(mode, !after));
		path[end] = after;
		if (fd >= 0)
			continue;
		if (fd != -ENOENT)
			return fd;
		int made = make_component(root, path, start, end, mode);
		if (made != 0)
			return made;
	}
}

int mkdir_below(int root, const char *wanted, mode_t mode)
{
	char path[PATH_MAX];
	size_t size = strlen(wanted) + 1;

	if (size > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, wanted, size);
	autoclose int whole = open_below(root, *path ? path : ".", wanted_type(mode, true));
	if (whole >= 0)
		return 0;
	if (whole != -ENOENT)
		return whole;
	for (int links = 0; links < MAX_LINKS; links++) {
		int made = make_missing(root, path, mode);

		if (made <= 0)
			return made;
	}
	return -ELOOP;
}

int open_parent(int dir, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	*name = slash ? slash + 1 : path;
	/* These name a directory that is not in the parent. */
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return -EINVAL;
	size_t size = slash ? (size_t)(slash - path) + 1 : 0;
	if (size >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, size);
	parent[size] = '\0';
	if (dir != AT_FDCWD)
		return open_directory_below(dir, size ? parent : ".");
	int fd = open(size ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The first directory in fd, opened, with its name. -ENOENT if there is none. */
static int open_first_child(int fd, char name[NAME_MAX + 1])
{
	/* aligned for struct dirent, which is the kernel's linux_dirent64 on 64-bit musl and glibc */
	_Alignas(struct dirent) char buffer[4096];
	long size;

	while ((size = sys_getdents64(fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < size;) {
			const struct dirent *entry = (const struct dirent *)(buffer + at);

			at += entry->d_reclen;
			if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
			    !strcmp(entry->d_name, ".."))
				continue;
			strncpy(name, entry->d_name, NAME_MAX);
			name[NAME_MAX] = '\0';
			int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			return child < 0 ? -errno : child;
		}
	}
	return size < 0 ? (int)size : -ENOENT;
}

static int open_cgroup(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs statfs;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &statfs) == 0 && statfs.f_type == CGROUP2_SUPER_MAGIC)
		return fd;
	close(fd);
	return -EBUSY;
}

/*
 * Removes one innermost cgroup below path. A container with a writable cgroup makes cgroups of its own
 * there, and a cgroup with children is as busy as one with processes. Nothing else that is busy (a
 * mount point) is looked into.
 */
static int remove_innermost(const char *path)
{
	char name[NAME_MAX + 1];
	int parent = open_cgroup(path);
	int child = parent < 0 ? parent : open_first_child(parent, name);
	int removed = child;

	while (child >= 0) {
		char deeper[NAME_MAX + 1];
		int grandchild = open_first_child(child, deeper);

		if (grandchild < 0) {
			close(child);
			removed = unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
			break;
		}
		close(parent);
		parent = child;
		child = grandchild;
		memcpy(name, deeper, sizeof(name));
	}
	if (parent >= 0)
		close(parent);
	return removed;
}

int rmdir_retrying(const char *path, unsigned int milliseconds)
{
	const uint64_t deadline = monotonic_ns() + milliseconds * 1000000ull;

	while (rmdir(path) < 0) {
		int error = errno;

		if (error != EBUSY || monotonic_ns() >= deadline)
			return -error;
		if (remove_innermost(path) == 0)
			continue;
		/* Its processes are dead but not yet gone: there is nothing to wait on. */
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return 0;
}
