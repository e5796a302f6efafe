/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h: from a plan's lists of offsets to execve(2). */
#ifndef TSRUN_EXEC_H
#define TSRUN_EXEC_H

#include "stage.h"

/* Null-terminated pointer arrays into the plan's blob. */
struct exec_vectors {
	char **argv, **envp, **candidates;
	size_t size;            /* bytes mapped at argv */
};

/* Maps memory for the arrays, so that nothing is allocated after clone; 0 or -errno. */
int exec_prepare(const struct plan *plan, uint32_t lists, struct exec_vectors *vectors);

/* For who does not execute them. */
void exec_release(struct exec_vectors *vectors);

/*
 * Whether one of the candidates may be executed, as far as access(2) tells: 0, or the -errno that
 * exec_run would give.
 */
int exec_find(const struct exec_vectors *vectors);

/* Tries the candidates in turn as execvp(3) does. Returns only on failure: the most telling -errno. */
int exec_run(const struct exec_vectors *vectors);

#endif
