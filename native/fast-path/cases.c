// SPDX-License-Identifier: Apache-2.0
/* cases.c: reads ROOT/ID/fast-path and does the first case that fits the call and the container. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions.h"
#include "cases.h"
#include "checks.h"

#define FILE_NAME "fast-path"
#define HEAD "tsrun-fast-path 1"
/* With more annotations than that the runtime reads its own record. */
#define FILE_SIZE_MAX (256 * 1024)

enum kind { CHECK, ACTION };

struct instruction {
	const char *name;
	enum kind kind;
	int operands;
	bool (*run)(const struct scene *scene, const char *const *operands);
};

static const struct instruction instructions[] = {
	{ "boot", CHECK, 1, check_boot },
	{ "another-boot", CHECK, 1, check_another_boot },
	{ "alive", CHECK, 2, check_alive },
	{ "ended", CHECK, 2, check_ended },
	{ "exists", CHECK, 1, check_exists },
	{ "absent", CHECK, 1, check_absent },
	{ "frozen", CHECK, 1, check_frozen },
	{ "thawed", CHECK, 1, check_thawed },
	{ "unpopulated", CHECK, 1, check_unpopulated },
	{ "signal-is", CHECK, 1, check_signal_is },
	{ "signal-is-a-number", CHECK, 0, check_signal_is_a_number },
	{ "unset", CHECK, 1, check_unset },
	{ "print", ACTION, 1, act_print },
	{ "write", ACTION, 2, act_write },
	{ "await-frozen", ACTION, 1, act_await_frozen },
	{ "signal", ACTION, 3, act_signal },
	{ "release", ACTION, 2, act_release },
	{ "remove-cgroup", ACTION, 1, act_remove_cgroup },
	{ "remove-records", ACTION, 0, act_remove_records },
};

/* Words that are each ended by a zero byte. */
struct words {
	const char *next;
	const char *end;
};

/* NULL behind the last. */
static const char *next_word(struct words *words)
{
	const char *word = words->next;

	if (word == words->end)
		return NULL;
	words->next += strlen(word) + 1;
	return word;
}

static bool next_is(struct words *words, const char *expected)
{
	const char *word = next_word(words);

	return word && strcmp(word, expected) == 0;
}

/* NULL where this program does not know it. */
static const struct instruction *find_instruction(const char *name)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(*instructions); i++)
		if (strcmp(instructions[i].name, name) == 0)
			return &instructions[i];
	return NULL;
}

enum outcome { DONE, DOES_NOT_FIT, NOT_FORESEEN, MALFORMED };

/* One after the other; what is behind a check that fails is only skipped. An action that fails ends it all. */
static enum outcome do_case(struct words *words, const struct scene *scene, bool fits)
{
	const char *operands[OPERANDS_MAX];
	const char *name;

	while ((name = next_word(words)) && strcmp(name, "end") != 0) {
		const struct instruction *instruction = find_instruction(name);

		if (!instruction)
			return MALFORMED;
		for (int i = 0; i < instruction->operands; i++)
			if (!(operands[i] = next_word(words)))
				return MALFORMED;
		if (!fits || instruction->run(scene, operands))
			continue;
		if (instruction->kind == ACTION)
			return NOT_FORESEEN;
		fits = false;
	}
	if (!name)
		return MALFORMED;
	return fits ? DONE : DOES_NOT_FIT;
}

/* The first that fits; without a call, none does. */
static enum outcome do_first_that_fits(struct words words, const struct scene *scene)
{
	enum outcome outcome = DOES_NOT_FIT;

	if (!next_is(&words, HEAD))
		return MALFORMED;
	while (outcome == DOES_NOT_FIT && words.next != words.end) {
		const char *start = next_word(&words);
		const char *command = next_word(&words);
		const char *flags = next_word(&words);

		if (!flags || strcmp(start, "case") != 0)
			return MALFORMED;
		outcome = do_case(&words, scene,
				  scene && strcmp(command, scene->call->command) == 0 &&
					  strcmp(flags, scene->call->flags) == 0);
	}
	return outcome;
}

/* Written by who runs us, or by root, and by nobody else. */
static bool is_ours(int fd, off_t *size)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_mode & (S_IWGRP | S_IWOTH))
		return false;
	*size = stat.st_size;
	return stat.st_uid == 0 || stat.st_uid == geteuid();
}

static bool read_words(int dir_fd, char *bytes, struct words *words)
{
	int fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t size;
	bool whole;

	if (fd < 0)
		return false;
	whole = is_ours(fd, &size) && size > 0 && size <= FILE_SIZE_MAX &&
		read(fd, bytes, (size_t)size) == size && bytes[size - 1] == '\0';
	close(fd);
	*words = (struct words){ .next = bytes, .end = bytes + (whole ? size : 0) };
	return whole;
}

/* "delete --force" of what is not there is done; a shim calls it so after its delete. */
static bool nothing_to_delete(const struct call *call)
{
	return strcmp(call->command, "delete") == 0 && strcmp(call->flags, "--force") == 0;
}

bool do_foreseen(const struct call *call)
{
	static char bytes[FILE_SIZE_MAX];
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct scene scene = { .call = call };
	struct words words;

	scene.root_fd = open(call->root, flags);
	if (scene.root_fd < 0)
		return errno == ENOENT && nothing_to_delete(call);
	scene.dir_fd = openat(scene.root_fd, call->id, flags | O_NOFOLLOW);
	if (scene.dir_fd < 0)
		return errno == ENOENT && nothing_to_delete(call);
	/* All of it is looked through before any of it is done. */
	return read_words(scene.dir_fd, bytes, &words) &&
	       do_first_that_fits(words, NULL) == DOES_NOT_FIT &&
	       do_first_that_fits(words, &scene) == DONE;
}
