// SPDX-License-Identifier: Apache-2.0
/* events.c: reading cgroup.events. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events.h"

int open_events(const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/cgroup.events", cgroup) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum answer read_event(int fd, const char *event)
{
	char text[256];
	const size_t length = strlen(event);
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	if (size < 0)
		return errno == ENODEV ? NO : UNKNOWN;
	text[size] = '\0';
	for (const char *line = text; *line;) {
		if (strncmp(line, event, length) == 0 && line[length] == ' ')
			return line[length + 1] == '0' ? NO : YES;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return UNKNOWN;
}
