/* SPDX-License-Identifier: Apache-2.0 */
/* call.h: a call of tsrun-oci, as far as it can be foreseen. */
#ifndef TSRUN_CALL_H
#define TSRUN_CALL_H

#include <stdbool.h>

struct call {
	/* Absolute: where the containers' records are. */
	const char *root;
	const char *command;
	/* The one flag of the command, as it was typed, or "". */
	const char *flags;
	const char *id;
	/* The operand behind the id, or NULL. */
	const char *signal;
};

/*
 * Reads the words that are ended by NULL. False for whatever is not written as engines write it: then
 * the call is not wrong, but somebody else's to understand. The words stay the caller's.
 */
bool parse_call(char **words, struct call *call);

#endif
