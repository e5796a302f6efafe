// SPDX-License-Identifier: Apache-2.0
/* record.c: what outlives the supervisor: the exit record and the journal's lines. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "oom.h"
#include "stage.h"
#include "text.h"
#include "timestamp.h"

#define RECORD_SIZE 320

static void add_time(struct text *text)
{
	char time[TIMESTAMP_SIZE];

	timestamp_now(time);
	text_string(text, "\"");
	text_bytes(text, time, sizeof(time));
	text_string(text, "\"");
}

static void add_number_or_null(struct text *text, bool known, int number)
{
	if (known)
		text_number(text, (uint64_t)(unsigned int)number);
	else
		text_string(text, "null");
}

/* "exitCode":…,"signal":… with null for the one that it was not. */
static void add_exit(struct text *text, const siginfo_t *exit)
{
	bool exited = exit->si_code == CLD_EXITED;

	text_string(text, "\"exitCode\":");
	add_number_or_null(text, exited, exit->si_status);
	text_string(text, ",\"signal\":");
	add_number_or_null(text, !exited, exit->si_status);
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t count = write(fd, bytes, size);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -ENOSPC;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

/* A reader sees the whole file or none: written beside its place, then renamed. 0 or -errno. */
static int replace_file(const char *path, const struct text *content)
{
	char beside[PATH_MAX];
	struct text name = text_in(beside, sizeof(beside));

	text_string(&name, path);
	text_string(&name, ".tmp");
	if (name.cut)
		return -ENAMETOOLONG;
	/* A leftover is never written through: it could be a link. */
	if (unlink(beside) < 0 && errno != ENOENT)
		return -errno;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int result = write_all(fd, content->bytes, content->size);
	if (close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(beside, path) < 0)
		result = -errno;
	if (result < 0)
		unlink(beside);
	return result;
}

int record_exit(const struct plan *plan, pid_t child, const siginfo_t *exit, uint64_t log_lost)
{
	const char *path = plan->blob + plan->header->relay.exit_path;
	char bytes[RECORD_SIZE];
	struct text text = text_in(bytes, sizeof(bytes));

	if (!*path)
		return 0;
	text_string(&text, "{\"pid\":");
	text_number(&text, (uint64_t)child);
	text_string(&text, ",");
	add_exit(&text, exit);
	text_string(&text, ",\"oomKilled\":");
	text_string(&text, oom_kills() > 0 ? "true" : "false");
	text_string(&text, ",\"oomKills\":");
	text_number(&text, oom_kills());
	text_string(&text, ",\"finishedAt\":");
	add_time(&text);
	text_string(&text, ",\"logLost\":");
	text_number(&text, log_lost);
	text_string(&text, "}\n");
	return text.cut ? -E2BIG : replace_file(path, &text);
}

/* One writev on an O_APPEND file: lines of several supervisors never mix. 0 or -errno. */
int record_event(const struct plan *plan, const char *status, const siginfo_t *exit)
{
	const char *path = plan->blob + plan->header->relay.journal_path;
	const char *head = plan->blob + plan->header->relay.journal_head;
	char bytes[RECORD_SIZE];
	struct text text = text_in(bytes, sizeof(bytes));

	if (!*path)
		return 0;
	text_string(&text, ",\"type\":\"container\",\"status\":\"");
	text_string(&text, status);
	text_string(&text, "\",");
	if (exit) {
		add_exit(&text, exit);
		text_string(&text, ",");
	}
	text_string(&text, "\"time\":");
	add_time(&text);
	text_string(&text, "}\n");
	if (text.cut)
		return -E2BIG;

	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	struct iovec pieces[2] = {
		{ (void *)(uintptr_t)head, strlen(head) },
		{ text.bytes, text.size },
	};
	ssize_t size = (ssize_t)(pieces[0].iov_len + pieces[1].iov_len);
	ssize_t count;
	do
		count = writev(fd, pieces, 2);
	while (count < 0 && errno == EINTR);
	int result = count < 0 ? -errno : count < size ? -ENOSPC : 0;
	close(fd);
	return result;
}
