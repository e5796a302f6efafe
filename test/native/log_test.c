// SPDX-License-Identifier: Apache-2.0
/* log_test.c: records, rotation, what a torn file and a failing disk leave. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "log.h"

#define TIME "2026-11-21T10:44:43.123456789Z"

static char batch[LOG_BATCH_SIZE];
static char directory[64];

static const char *path_of(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", directory, name);
	return path[turn];
}

/* The whole file, terminated, in a buffer of its own until the next call; NULL if there is none. */
static const char *content(const char *name)
{
	static char bytes[1 << 20];
	int fd = open(path_of(name), O_RDONLY);

	if (fd < 0)
		return NULL;
	ssize_t size = read(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	bytes[size < 0 ? 0 : size] = '\0';
	return bytes;
}

static bool holds(const char *name, const char *expected)
{
	const char *found = content(name);

	return expected ? found && strcmp(found, expected) == 0 : !found;
}

static void put(const char *name, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK("a file is prepared", fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void add(const char *stream, const char *text, bool full)
{
	struct line line = { (const uint8_t *)text, (uint32_t)strlen(text), full };

	log_add(stream, &line, TIME);
}

static void fresh_directory(void)
{
	strcpy(directory, "/tmp/tsrun-log-test-XXXXXX");
	CHECK("a directory", mkdtemp(directory) != NULL);
}

static void remove_directory(void)
{
	const char *const names[] = { "log", "log.1", "log.2", "log.3", "log.4", "log.new", "other" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(path_of(names[i]));
	rmdir(path_of("log"));
	CHECK("nothing else was made", rmdir(directory) == 0);
}

static void check_format(void)
{
	struct stat status;

	fresh_directory();
	CHECK("opens", log_open(path_of("log"), 2, 0, batch) == 0);
	add("stdout", "hello", true);
	add("stderr", "", true);
	add("stdout", "half", false);
	CHECK("nothing is written before the flush", holds("log", ""));
	log_flush();
	CHECK("CRI's format", holds("log", TIME " stdout F hello\n" TIME " stderr F \n" TIME
					   " stdout P half\n"));
	CHECK("mode 0600", stat(path_of("log"), &status) == 0 && (status.st_mode & 0777) == 0600);
	log_close();

	CHECK("opens again", log_open(path_of("log"), 2, 0, batch) == 0);
	add("stdout", "more", true);
	log_flush();
	CHECK("appends", strstr(content("log"), "half\n" TIME " stdout F more\n") != NULL);
	log_close();
	remove_directory();
}

#define RECORD(c) TIME " stdout F " c "\n" /* 43 bytes with one character */

static void check_rotation(uint32_t files, const char *const expected[4])
{
	fresh_directory();
	CHECK("opens", log_open(path_of("log"), files, 86, batch) == 0);
	for (const char *c = "1234567"; *c; c++) {
		char text[2] = { *c };

		add("stdout", text, true);
	}
	log_flush();
	CHECK("the current file", holds("log", RECORD("7")));
	CHECK(".1", holds("log.1", expected[0]));
	CHECK(".2", holds("log.2", expected[1]));
	CHECK(".3", holds("log.3", expected[2]));
	CHECK(".4", holds("log.4", expected[3]));
	CHECK("no file half made", holds("log.new", NULL));
	CHECK("nothing was lost", log_lost() == 0 && log_take_error() == 0);
	log_close();
	remove_directory();
}

static void check_large_record(void)
{
	fresh_directory();
	CHECK("opens", log_open(path_of("log"), 2, 10, batch) == 0);
	add("stdout", "larger than a file", true);
	add("stdout", "b", true);
	log_flush();
	CHECK("a record is never split", holds("log.1", TIME " stdout F larger than a file\n"));
	CHECK("each has its file", holds("log", RECORD("b")) && holds("log.2", NULL));
	log_close();
	remove_directory();
}

static void check_torn(void)
{
	fresh_directory();
	put("log", "half a rec");
	CHECK("opens", log_open(path_of("log"), 2, 0, batch) == 0);
	add("stdout", "a", true);
	log_flush();
	CHECK("begins a line of its own", holds("log", "half a rec\n" RECORD("a")));
	log_close();
	remove_directory();
}

static void check_refusals(void)
{
	fresh_directory();
	put("other", "untouched");
	CHECK("a link", symlink(path_of("other"), path_of("log")) == 0);
	CHECK("a symlink is not followed", log_open(path_of("log"), 2, 0, batch) == -ELOOP);
	unlink(path_of("log"));
	CHECK("a fifo", mkfifo(path_of("log"), 0600) == 0);
	CHECK("a fifo is refused at once", log_open(path_of("log"), 2, 0, batch) == -EINVAL);
	unlink(path_of("log"));
	CHECK("a directory", mkdir(path_of("log"), 0700) == 0);
	CHECK("a directory is refused", log_open(path_of("log"), 2, 0, batch) == -EISDIR);
	CHECK("no directory", log_open("/nonexistent/log", 2, 0, batch) == -ENOENT);
	add("stdout", "a", true);
	log_flush(); /* without a file it does nothing */
	CHECK("nothing was written through", holds("other", "untouched"));
	remove_directory();
}

/* RLIMIT_FSIZE is a disk that is full at that byte, without a disk. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	CHECK("the limit is set", setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void check_full_disk(void)
{
	fresh_directory();
	signal(SIGXFSZ, SIG_IGN);
	CHECK("opens", log_open(path_of("log"), 2, 0, batch) == 0);
	limit_files(43 + 20);
	add("stdout", "1", true);
	add("stdout", "2", true);
	add("stdout", "3", true);
	log_flush();
	CHECK("the whole record stays, the torn one is cut off", holds("log", RECORD("1")));
	CHECK("the others are counted", log_lost() == 2);
	CHECK("the error is told", log_take_error() == EFBIG && log_take_error() == 0);
	add("stdout", "4", true);
	log_flush();
	CHECK("still full", log_lost() == 3 && holds("log", RECORD("1")));
	limit_files(RLIM_INFINITY);
	add("stdout", "5", true);
	log_flush();
	CHECK("goes on when there is space", holds("log", RECORD("1") RECORD("5")) && log_lost() == 3);
	log_close();
	remove_directory();
}

/* A rotation that cannot be done leaves a file that is too large, and no record is lost. */
static void check_failing_rotation(void)
{
	fresh_directory();
	CHECK("opens", log_open(path_of("log"), 1, 50, batch) == 0);
	CHECK("something in the way", mkdir(path_of("log.1"), 0700) == 0);
	add("stdout", "1", true);
	add("stdout", "2", true);
	log_flush();
	CHECK("both are there", holds("log", RECORD("1") RECORD("2")) && log_lost() == 0);
	CHECK("the error is told", log_take_error() == EISDIR);
	CHECK("nothing half made", holds("log.new", NULL));
	log_close();
	rmdir(path_of("log.1"));
	remove_directory();
}

int main(void)
{
	check_format();
	check_rotation(0, (const char *const[4]){ NULL, NULL, NULL, NULL });
	check_rotation(1, (const char *const[4]){ RECORD("5") RECORD("6"), NULL, NULL, NULL });
	check_rotation(2, (const char *const[4]){ RECORD("5") RECORD("6"), RECORD("3") RECORD("4"),
						  NULL, NULL });
	check_rotation(4, (const char *const[4]){ RECORD("5") RECORD("6"), RECORD("3") RECORD("4"),
						  RECORD("1") RECORD("2"), NULL });
	check_large_record();
	check_torn();
	check_refusals();
	check_full_disk();
	check_failing_rotation();
	return check_result("log_test");
}
