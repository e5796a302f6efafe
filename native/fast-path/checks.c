// SPDX-License-Identifier: Apache-2.0
/* checks.c: what a container's processes, cgroup and files are like now. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "events.h"

/* Of the kernel's own small files: text with an end, and its size, or -errno. */
static ssize_t read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return -errno;
	size = read(fd, text, room - 1);
	if (size < 0)
		size = -errno;
	close(fd);
	if (size >= 0)
		text[size] = '\0';
	return size;
}

/* random(4) */
static enum answer is_boot(const char *id)
{
	char text[64];

	if (read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text)) <= 0)
		return UNKNOWN;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, id) == 0 ? YES : NO;
}

bool check_boot(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_boot(operands[0]) == YES;
}

bool check_another_boot(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_boot(operands[0]) == NO;
}

/* From field 3, the state, to field 22. */
#define FIELDS_TO_START_TIME 19

/* The command's name, in parentheses, may hold any byte: fields count from its end. */
static enum answer is_alive(const char *pid, const char *start_time)
{
	char path[64];
	char text[1024];
	const char *field;
	ssize_t size;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	size = read_text(path, text, sizeof(text));
	if (size < 0)
		return size == -ENOENT || size == -ESRCH ? NO : UNKNOWN;
	field = strrchr(text, ')');
	if (!field || strlen(field) < 3)
		return UNKNOWN;
	field += 2;
	/* Nothing of a zombie is left but its exit status. */
	if (*field == 'Z')
		return NO;
	for (int i = 0; i < FIELDS_TO_START_TIME; i++) {
		field = strchr(field, ' ');
		if (!field++)
			return UNKNOWN;
	}
	length = strcspn(field, " ");
	return length == strlen(start_time) && memcmp(field, start_time, length) == 0 ? YES : NO;
}

bool check_alive(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_alive(operands[0], operands[1]) == YES;
}

bool check_ended(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_alive(operands[0], operands[1]) == NO;
}

static enum answer is_there(int dir, const char *path)
{
	struct stat stat;

	if (fstatat(dir, path, &stat, 0) == 0)
		return YES;
	return errno == ENOENT ? NO : UNKNOWN;
}

bool check_exists(const struct scene *scene, const char *const *operands)
{
	return is_there(scene->dir_fd, operands[0]) == YES;
}

bool check_absent(const struct scene *scene, const char *const *operands)
{
	return is_there(scene->dir_fd, operands[0]) == NO;
}

/* Of a cgroup that is gone every event is 0. */
static enum answer is_event(const char *cgroup, const char *event)
{
	int fd = open_events(cgroup);
	enum answer answer;

	if (fd < 0)
		return fd == -ENOENT ? NO : UNKNOWN;
	answer = read_event(fd, event);
	close(fd);
	return answer;
}

bool check_frozen(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_event(operands[0], "frozen") == YES;
}

bool check_thawed(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_event(operands[0], "frozen") == NO;
}

bool check_unpopulated(const struct scene *scene, const char *const *operands)
{
	(void)scene;
	return is_event(operands[0], "populated") == NO;
}

bool check_signal_is(const struct scene *scene, const char *const *operands)
{
	return scene->call->signal && strcmp(scene->call->signal, operands[0]) == 0;
}

#define SIGNAL_MAX 64

/* In digits alone, as engines write it. signal(7) */
bool check_signal_is_a_number(const struct scene *scene, const char *const *operands)
{
	const char *text = scene->call->signal;
	int number;

	(void)operands;
	if (!text || *text < '1' || *text > '9' || strlen(text) > 2 || strspn(text, "0123456789") != strlen(text))
		return false;
	number = atoi(text);
	return number <= SIGNAL_MAX;
}

bool check_unset(const struct scene *scene, const char *const *operands)
{
	const char *value = getenv(operands[0]);

	(void)scene;
	return !value || !*value;
}
