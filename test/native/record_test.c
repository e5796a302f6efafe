// SPDX-License-Identifier: Apache-2.0
/* record_test.c: the exit record, the journal's lines, the count of memory.events, and short texts. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "oom.h"
#include "stage.h"
#include "text.h"

static char blob[1024];
static struct plan_header header;
static struct plan plan = { .header = &header, .blob = blob };
static uint32_t blob_size = 1;

static uint32_t add_string(const char *text)
{
	uint32_t at = blob_size;

	strcpy(blob + at, text);
	blob_size += (uint32_t)strlen(text) + 1;
	return at;
}

static const char *content(const char *path)
{
	static char bytes[4096];
	FILE *file = fopen(path, "r");

	if (!file)
		return "";
	size_t size = fread(bytes, 1, sizeof(bytes) - 1, file);
	fclose(file);
	bytes[size] = '\0';
	return bytes;
}

/* As expected, where each '#' stands for a digit. */
static bool matches(const char *text, const char *expected)
{
	for (; *text && *expected; text++, expected++)
		if (*expected == '#' ? *text < '0' || *text > '9' : *text != *expected)
			return false;
	return !*text && !*expected;
}

#define TIME "\"####-##-##T##:##:##.#########Z\""

static void check_exit_record(const char *path, const char *beside)
{
	siginfo_t exited = { .si_code = CLD_EXITED }, killed = { .si_code = CLD_DUMPED };
	struct stat status;

	exited.si_status = 3;
	killed.si_status = 11;
	CHECK("a leftover beside it", symlink("/nonexistent", beside) == 0);
	CHECK("is written", record_exit(&plan, 1234, &exited, 0) == 0);
	CHECK("an exit", matches(content(path),
				 "{\"pid\":1234,\"exitCode\":3,\"signal\":null,\"oomKilled\":false,"
				 "\"oomKills\":0,\"finishedAt\":" TIME ",\"logLost\":0}\n"));
	CHECK("mode 0600", stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
	CHECK("is written over", record_exit(&plan, 5, &killed, 18446744073709551615u) == 0);
	CHECK("a signal", matches(content(path),
				  "{\"pid\":5,\"exitCode\":null,\"signal\":11,\"oomKilled\":false,"
				  "\"oomKills\":0,\"finishedAt\":" TIME
				  ",\"logLost\":18446744073709551615}\n"));
	CHECK("nothing is left beside it", access(beside, F_OK) < 0 && errno == ENOENT);
}

static void check_journal(const char *path)
{
	siginfo_t exited = { .si_code = CLD_EXITED };

	CHECK("is written", record_event(&plan, "died", &exited) == 0);
	CHECK("is appended", record_event(&plan, "oom", NULL) == 0);
	CHECK("two lines",
	      matches(content(path),
		      "{\"id\":\"x\",\"type\":\"container\",\"status\":\"died\",\"exitCode\":0,\"signal\":null,"
		      "\"time\":" TIME "}\n"
		      "{\"id\":\"x\",\"type\":\"container\",\"status\":\"oom\",\"time\":" TIME "}\n"));
}

static void check_failures_are_told(void)
{
	siginfo_t exited = { .si_code = CLD_EXITED };

	header.relay.exit_path = add_string("/nonexistent/exit.json");
	header.relay.journal_path = add_string("/nonexistent/journal");
	CHECK("no directory for the record", record_exit(&plan, 1, &exited, 0) == -ENOENT);
	CHECK("no directory for the journal", record_event(&plan, "died", NULL) == -ENOENT);
	header.relay.exit_path = 0;
	header.relay.journal_path = 0;
	CHECK("no record is wanted", record_exit(&plan, 1, &exited, 0) == 0);
	CHECK("no journal is wanted", record_event(&plan, "died", NULL) == 0);
}

static const struct {
	const char *text;
	uint64_t count;
} events[] = {
	{ "", 0 },
	{ "oom_kill 7\n", 7 },
	{ "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 9\n", 2 },
	{ "low 0\nhigh 0\nmax 12\noom 3\n", 0 },
	{ "oom_kill ", 0 },
	{ "oom_kill 18446744073709551615", 18446744073709551615u },
	{ "xoom_kill 5\n", 0 },
};

static void check_oom(void)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		CHECK(events[i].text,
		      oom_parse(events[i].text, strlen(events[i].text)) == events[i].count);
	CHECK("no memory controller", oom_open("/nonexistent") == 0 && oom_fd() < 0);
	CHECK("nothing is wanted", oom_open("") == 0 && !oom_update() && oom_kills() == 0);
	CHECK("an error is one", oom_open("/dev/null/x") == -ENOTDIR);
}

static void write_events(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK("events are written", file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void check_oom_counts(const char *path)
{
	write_events(path, "oom 1\noom_kill 4\n");
	CHECK("opens", oom_open(path) == 0 && oom_fd() >= 0);
	CHECK("kills before us are not ours", !oom_update() && oom_kills() == 0);
	write_events(path, "oom 1\noom_kill 6\n");
	CHECK("it grew", oom_update() && oom_kills() == 2);
	CHECK("once", !oom_update() && oom_kills() == 2);
	oom_close();
	CHECK("the count stays", oom_kills() == 2);
	CHECK("until the next container", oom_open("") == 0 && oom_kills() == 0);
}

static void check_text(void)
{
	char bytes[8];
	struct text text = text_in(bytes, sizeof(bytes));

	text_string(&text, "ab");
	text_number(&text, 0);
	text_number(&text, 4294);
	CHECK("fits exactly", !text.cut && strcmp(bytes, "ab04294") == 0);
	text_string(&text, "");
	CHECK("nothing always fits", !text.cut);
	text_string(&text, "x");
	CHECK("too much is told", text.cut && strcmp(bytes, "ab04294") == 0);
}

int main(void)
{
	char directory[] = "/tmp/tsrun-record-test-XXXXXX";
	char exit_path[64], beside[72], journal[64], memory_events[64];

	CHECK("a directory", mkdtemp(directory) != NULL);
	snprintf(exit_path, sizeof(exit_path), "%s/exit.json", directory);
	snprintf(beside, sizeof(beside), "%s.tmp", exit_path);
	snprintf(journal, sizeof(journal), "%s/journal", directory);
	snprintf(memory_events, sizeof(memory_events), "%s/memory.events", directory);
	header.relay.exit_path = add_string(exit_path);
	header.relay.journal_path = add_string(journal);
	header.relay.journal_head = add_string("{\"id\":\"x\"");

	check_exit_record(exit_path, beside);
	check_journal(journal);
	check_oom();
	check_oom_counts(memory_events);
	check_failures_are_told();
	check_text();
	unlink(exit_path);
	unlink(journal);
	unlink(memory_events);
	CHECK("nothing else was made", rmdir(directory) == 0);
	return check_result("record_test");
}
