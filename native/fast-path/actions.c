// SPDX-License-Identifier: Apache-2.0
/* actions.c: the little that a container's short calls do. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions.h"
#include "checks.h"
#include "events.h"
#include "../syscalls.h"

/* All of it, also into a pipe that somebody made non-blocking. A reader that has gone wanted no more. */
bool act_print(const struct scene *scene, const char *const *operands)
{
	const char *text = operands[0];
	size_t left = strlen(text);

	(void)scene;
	while (left > 0) {
		ssize_t size = write(STDOUT_FILENO, text, left);

		if (size >= 0) {
			text += size;
			left -= (size_t)size;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = STDOUT_FILENO, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			return errno == EPIPE;
		}
	}
	return true;
}

bool act_write(const struct scene *scene, const char *const *operands)
{
	const size_t size = strlen(operands[1]);
	int fd = open(operands[0], O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t written;

	(void)scene;
	if (fd < 0)
		return false;
	written = write(fd, operands[1], size);
	close(fd);
	return written == (ssize_t)size;
}

/* Who takes longer sleeps uninterruptibly: the runtime waits, and says so. */
#define FREEZE_ATTEMPTS 40
#define FREEZE_MS 25

bool act_await_frozen(const struct scene *scene, const char *const *operands)
{
	int fd = open_events(operands[0]);
	bool frozen = false;

	(void)scene;
	for (int i = 0; fd >= 0 && i < FREEZE_ATTEMPTS && !frozen; i++) {
		frozen = read_event(fd, "frozen") == YES;
		if (!frozen)
			poll(&(struct pollfd){ .fd = fd, .events = POLLPRI }, 1, FREEZE_MS);
	}
	if (fd >= 0)
		close(fd);
	return frozen;
}

/* The descriptor is the process's whose start time is looked at after it was opened, whoever has the pid then. */
bool act_signal(const struct scene *scene, const char *const *operands)
{
	const bool given = strcmp(operands[2], "given") == 0;
	const int number = atoi(given ? scene->call->signal : operands[2]);
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(operands[0]), 0);
	bool sent;

	if (pidfd < 0)
		return false;
	sent = check_alive(scene, operands) &&
	       sys_pidfd_send_signal(pidfd, number) == 0;
	close(pidfd);
	return sent;
}

/* The runtime, which has the words for it, is to read the failure that waits there. */
static void hand_over(int result)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", result);
	if (fcntl(result, F_SETFD, 0) == 0)
		setenv(RESULT_FD_VARIABLE, number, 1);
}

/* Its other end is closed by the exec or by the process's end; before that comes a failure, or nothing. */
static bool await_exec(int result)
{
	struct pollfd end = { .fd = result, .events = POLLIN };
	int ready;

	do
		ready = poll(&end, 1, -1);
	while (ready < 0 && errno == EINTR);
	if (ready < 0 || end.revents & POLLIN) {
		hand_over(result);
		return false;
	}
	close(result);
	return true;
}

/* Of two that start it, one removes the FIFO. */
static bool take_and_write(int dir_fd, const char *name, int fifo)
{
	if (unlinkat(dir_fd, name, 0) < 0)
		return false;
	/* EPIPE: it was killed just now, as the other FIFO will say. */
	return write(fifo, "G", 1) == 1 || errno == EPIPE;
}

/* The process that waits has both ends of both. */
bool act_release(const struct scene *scene, const char *const *operands)
{
	const int flags = O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW;
	int result = openat(scene->dir_fd, operands[1], O_RDONLY | flags);
	int start = openat(scene->dir_fd, operands[0], O_WRONLY | flags);
	bool released = result >= 0 && start >= 0 &&
			take_and_write(scene->dir_fd, operands[0], start);

	if (start >= 0)
		close(start);
	if (released)
		return await_exec(result);
	if (result >= 0)
		close(result);
	return false;
}

bool act_remove_cgroup(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return rmdir(operands[0]) == 0 || errno == ENOENT;
}

#define NAMES_MAX 16

struct names {
	char name[NAMES_MAX][NAME_MAX + 1];
	int count;
};

/* False with a directory among them. */
static bool list_files(int dir_fd, struct names *names)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool files = true;

	if (!dir)
		return false;
	names->count = 0;
	while (files && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		files = entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN &&
			names->count < NAMES_MAX;
		if (files)
			strcpy(names->name[names->count++], entry->d_name);
	}
	closedir(dir);
	return files;
}

#define STATE_FILE "state.json"

static bool unlink_if_there(int dir_fd, const char *name, int flags)
{
	return unlinkat(dir_fd, name, flags) == 0 || errno == ENOENT;
}

/* Without state.json there is no container: what ends before that can be done again. */
bool act_remove_records(const struct scene *scene, const char *const *operands)
{
	struct names names;

	(void)operands;
	if (!list_files(scene->dir_fd, &names))
		return false;
	for (int i = 0; i < names.count; i++)
		if (strcmp(names.name[i], STATE_FILE) != 0 &&
		    !unlink_if_there(scene->dir_fd, names.name[i], 0))
			return false;
	return unlink_if_there(scene->dir_fd, STATE_FILE, 0) &&
	       unlink_if_there(scene->root_fd, scene->call->id, AT_REMOVEDIR);
}
