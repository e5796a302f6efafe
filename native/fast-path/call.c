// SPDX-License-Identifier: Apache-2.0
/* call.c: the command line, a small part of what src/oci/parse-arguments.ts and main.ts take. */
#include <string.h>
#include <unistd.h>

#include "call.h"

#define DEFAULT_ROOT "/run/tsrun-oci"

static bool equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Of "--name=value" or of "--name value", which takes a further word; NULL if it is another flag. */
static const char *value_of(char ***words, const char *name)
{
	const char *word = **words;
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0)
		return NULL;
	if (word[length] == '=')
		return word + length + 1;
	if (word[length] != '\0' || !(*words)[1])
		return NULL;
	return *++*words;
}

/* What is logged is an error or a warning, and here is none: where to is only looked at. */
static bool take_global(char ***words, struct call *call)
{
	const char *value;

	if (equal(**words, "--systemd-cgroup") || equal(**words, "--debug"))
		return true;
	if ((value = value_of(words, "--root"))) {
		call->root = value;
		return value[0] == '/' && !strstr(value, "..");
	}
	if ((value = value_of(words, "--log-format")))
		return equal(value, "json") || equal(value, "text");
	return value_of(words, "--log");
}

/* src/oci/records.ts: checkId. */
static bool is_id(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

	return *id && id[strspn(id, allowed)] == '\0' && !equal(id, ".") && !equal(id, "..");
}

static bool take_operand(char *word, struct call *call)
{
	if (!call->id) {
		call->id = word;
		return is_id(word);
	}
	if (call->signal || !equal(call->command, "kill"))
		return false;
	call->signal = word;
	return true;
}

bool parse_call(char **words, struct call *call)
{
	*call = (struct call){ .root = geteuid() == 0 ? DEFAULT_ROOT : NULL, .flags = "" };
	for (; *words && **words == '-'; words++)
		if (!take_global(&words, call))
			return false;
	if (!*words || !call->root)
		return false;
	call->command = *words++;
	for (; *words; words++) {
		if (**words != '-') {
			if (!take_operand(*words, call))
				return false;
		} else if (*call->flags || equal(*words, "--")) {
			return false;
		} else {
			call->flags = *words;
		}
	}
	return call->id;
}
