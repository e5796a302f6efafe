// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE 1
#include "oom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define KEY "oom_kill "

static struct {
	int fd;
	uint64_t base;          /* kills before this container */
	uint64_t kills;
} oom = { .fd = -1 };

uint64_t oom_parse(const char *text, size_t size)
{
	const char *end = text + size;
	size_t key_size = sizeof(KEY) - 1;
	uint64_t count = 0;

	for (const char *line = text; line && (size_t)(end - line) > key_size;) {
		if (memcmp(line, KEY, key_size) == 0) {
			for (line += key_size; line < end && *line >= '0' && *line <= '9'; line++)
				count = count * 10 + (uint64_t)(*line - '0');
			return count;
		}
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	return 0;
}

/* What the file says now, or the last known count. */
static uint64_t read_count(uint64_t known)
{
	char text[512];
	ssize_t size;

	do
		size = pread(oom.fd, text, sizeof(text), 0);
	while (size < 0 && errno == EINTR);
	if (size < 0) {
		/* ENODEV: the cgroup has been removed, and poll(2) would report that for ever. */
		oom_close();
		return known;
	}
	return oom_parse(text, (size_t)size);
}

int oom_open(const char *path)
{
	oom_close();
	oom.base = 0;
	oom.kills = 0;
	if (!*path)
		return 0;
	oom.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (oom.fd < 0)
		return errno == ENOENT ? 0 : -errno;
	oom.base = read_count(0);
	return 0;
}

int oom_fd(void)
{
	return oom.fd;
}

bool oom_update(void)
{
	uint64_t before = oom.kills;

	if (oom.fd < 0)
		return false;
	uint64_t count = read_count(oom.base + before);
	if (count > oom.base)
		oom.kills = count - oom.base;
	return oom.kills > before;
}

uint64_t oom_kills(void)
{
	return oom.kills;
}

void oom_close(void)
{
	if (oom.fd >= 0)
		close(oom.fd);
	oom.fd = -1;
}
