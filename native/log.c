// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE 1
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "text.h"

#define STREAM_NAME_SIZE 6 /* "stdout", "stderr" */
#define RECORD_HEAD_SIZE (TIMESTAMP_SIZE + 1 + STREAM_NAME_SIZE + 1 + 1 + 1)

_Static_assert(RECORD_HEAD_SIZE + LINE_MAX_SIZE + 1 <= LOG_BATCH_SIZE, "a record fits the batch");

static struct {
	int dir;
	int fd;
	char name[NAME_MAX + 1];
	uint32_t max_files;
	uint64_t max_size;
	uint64_t rotate_at;     /* max_size, or more after a rotation that failed */
	uint64_t size;          /* of the file */
	bool torn;              /* the file does not end with a newline, and could not be cut */
	uint64_t lost;
	int error;
	char *batch;
	uint32_t batch_size;
} file = { .dir = -1, .fd = -1 };

/* The kernel's openat2 has no wrapper in libc. A fifo in the log's place must not block: O_NONBLOCK. */
static int open_file(const char *name, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
					O_NOFOLLOW | flags),
		.mode = 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	int fd = (int)syscall(SYS_openat2, file.dir, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Splits path and opens its directory, which an administrator may have put behind symlinks. */
static int open_directory(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t dir_size = slash ? (size_t)(slash - path) + 1 : 0;

	if (strlen(name) > NAME_MAX || dir_size >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(file.name, name, strlen(name) + 1);
	memcpy(dir, path, dir_size);
	dir[dir_size] = '\0';
	file.dir = open(dir_size ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return file.dir < 0 ? -errno : 0;
}

/* A host that crashed can leave half a record at the end of the file; the next one needs its own line. */
static bool ends_torn(uint64_t size)
{
	char last = '\n';

	return size > 0 && pread(file.fd, &last, 1, (off_t)size - 1) == 1 && last != '\n';
}

int log_open(const char *path, uint32_t max_files, uint64_t max_size, char *batch)
{
	struct stat status;
	int result = open_directory(path);

	if (result < 0)
		return result;
	result = open_file(file.name, O_CREAT);
	if (result < 0)
		goto fail;
	file.fd = result;
	result = fstat(file.fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -EINVAL;
	if (result < 0)
		goto fail;
	file.max_files = max_files;
	file.max_size = max_size;
	file.rotate_at = max_size;
	file.size = (uint64_t)status.st_size;
	file.torn = ends_torn(file.size);
	file.lost = 0;
	file.error = 0;
	file.batch = batch;
	file.batch_size = 0;
	return 0;
fail:
	log_close();
	return result;
}

void log_close(void)
{
	if (file.fd >= 0)
		close(file.fd);
	if (file.dir >= 0)
		close(file.dir);
	file.fd = -1;
	file.dir = -1;
}

uint64_t log_lost(void)
{
	return file.lost;
}

int log_take_error(void)
{
	int error = file.error;

	file.error = 0;
	return error;
}

static void note_error(int error)
{
	if (!file.error)
		file.error = error;
}

static uint64_t count_newlines(const char *bytes, size_t size)
{
	uint64_t count = 0;

	for (const char *at = bytes; (at = memchr(at, '\n', size - (size_t)(at - bytes))); at++)
		count++;
	return count;
}

/* Writes until done or the first failure; how much was written, and errno if it was not all. */
static size_t write_all(int fd, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = write(fd, bytes + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count == 0)
			errno = ENOSPC;
		if (count <= 0)
			break;
		done += (size_t)count;
	}
	return done;
}

/* Cuts off what a failed write left after its last whole record; how many bytes of it stay. */
static size_t cut_torn_record(const char *bytes, size_t written)
{
	const char *newline = memrchr(bytes, '\n', written);
	size_t whole = newline ? (size_t)(newline - bytes) + 1 : 0;

	if (whole == written || ftruncate(file.fd, (off_t)(file.size + whole)) == 0)
		return whole;
	file.torn = true;
	return written;
}

void log_flush(void)
{
	size_t size = file.batch_size;

	if (size == 0)
		return;
	file.batch_size = 0;
	if (file.torn) {
		if (write_all(file.fd, "\n", 1) == 0) {
			note_error(errno);
			file.lost += count_newlines(file.batch, size);
			return;
		}
		file.size++;
		file.torn = false;
	}

	size_t written = write_all(file.fd, file.batch, size);
	if (written < size) {
		note_error(errno);
		file.lost += count_newlines(file.batch + written, size - written);
		written = cut_torn_record(file.batch, written);
	}
	file.size += written;
}

#define ROTATED_NAME_SIZE (NAME_MAX + 16)

static const char *rotated_name(char out[ROTATED_NAME_SIZE], uint32_t number)
{
	struct text text = text_in(out, ROTATED_NAME_SIZE);

	text_string(&text, file.name);
	text_string(&text, ".");
	text_number(&text, number);
	return out;
}

/* Not every file system has hard links; without one the plain name is gone for a moment. */
static int name_current(const char *name)
{
	if (unlinkat(file.dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	if (linkat(file.dir, file.name, file.dir, name, 0) == 0)
		return 0;
	return renameat(file.dir, file.name, file.dir, name) < 0 ? -errno : 0;
}

/*
 * The current file gets the name .1 and a fresh one takes its place. Readers always find the plain
 * name: the fresh file is made beside it and renamed over it. Returns 0 or -errno, and what was the
 * current file still is then.
 */
static int rotate(void)
{
	char name[ROTATED_NAME_SIZE], older[ROTATED_NAME_SIZE], fresh[ROTATED_NAME_SIZE];

	for (uint32_t number = file.max_files; number > 1; number--) {
		rotated_name(older, number);
		rotated_name(name, number - 1);
		if (renameat(file.dir, name, file.dir, older) < 0 && errno != ENOENT)
			return -errno;
	}

	struct text text = text_in(fresh, sizeof(fresh));
	text_string(&text, file.name);
	text_string(&text, ".new");
	if (unlinkat(file.dir, fresh, 0) < 0 && errno != ENOENT)
		return -errno;
	int fd = open_file(fresh, O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;

	int result = 0;
	if (file.max_files > 0)
		result = name_current(rotated_name(name, 1));
	if (result == 0 && renameat(file.dir, fresh, file.dir, file.name) < 0)
		result = -errno;
	if (result < 0) {
		unlinkat(file.dir, fresh, 0);
		close(fd);
		return result;
	}
	close(file.fd);
	file.fd = fd;
	file.size = 0;
	file.torn = false;
	return 0;
}

/* Before a record that would make the file too large. An empty file takes a record of any size. */
static void rotate_for(size_t size)
{
	if (file.max_size == 0 || file.size + file.batch_size + size <= file.rotate_at)
		return;
	log_flush();
	if (file.size == 0)
		return;
	int result = rotate();
	file.rotate_at = file.max_size;
	if (result < 0) {
		note_error(-result);
		/* The container goes on, in a file that is too large; not every record tries again. */
		file.rotate_at = file.size + size + file.max_size / 8 + LOG_BATCH_SIZE;
	}
}

void log_add(const char *stream, const struct line *line, const char time[TIMESTAMP_SIZE])
{
	size_t size = RECORD_HEAD_SIZE + line->size + 1;

	if (file.fd < 0)
		return;
	rotate_for(size);
	if (file.batch_size + size > LOG_BATCH_SIZE)
		log_flush();

	char *out = file.batch + file.batch_size;
	memcpy(out, time, TIMESTAMP_SIZE);
	out += TIMESTAMP_SIZE;
	*out++ = ' ';
	memcpy(out, stream, STREAM_NAME_SIZE);
	out += STREAM_NAME_SIZE;
	*out++ = ' ';
	*out++ = line->full ? 'F' : 'P';
	*out++ = ' ';
	memcpy(out, line->text, line->size);
	out[line->size] = '\n';
	file.batch_size += (uint32_t)size;
}
