/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h: what the parts of tsrun-stage know of each other. */
#ifndef TSRUN_STAGE_H
#define TSRUN_STAGE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plan.h"

/* A plan whose every offset, count and size has been checked (plan.c). */
struct plan {
	const struct plan_header *header;
	const struct plan_op *ops;
	const char *blob;
	uint32_t phase_start[PHASE_COUNT + 1];
};

/* 0, or -errno with *op set to the op at fault (REPORT_NO_OP for the header). */
int plan_decode(const void *bytes, size_t size, struct plan *plan, uint32_t *op);

/* Whether an op of this phase reads the slot. */
bool plan_uses_slot(const struct plan *plan, enum plan_phase phase, unsigned int slot);

/* The stage's descriptor table. The child gets its own copy by clone. */
struct slots {
	int fd[SLOT_COUNT];
};

/* What relay.c serves: the stage's ends of the container's stdio; -1 where there is none. */
struct stdio {
	int pty_master;
	int stdin_write;
	int stdout_read;
	int stderr_read;
};

/* Prepares what must exist before the child runs (listening socket, log file); 0 or -errno. */
int relay_open(const struct plan *plan);
/* Serves clients and the log until the child has exited and its stdio is drained; fills *exit. */
int relay_serve(const struct plan *plan, struct stdio *stdio, pid_t child, int pidfd, siginfo_t *exit);
/* Log records that a full or failing disk cost so far. */
uint64_t relay_log_lost(void);
/*
 * After the exit record is on disk: tells the clients and closes everything. NULL after a failed launch:
 * there was no exit to tell.
 */
void relay_finish(const siginfo_t *exit);
/* After relay_finish: the client that was there from the start was told, and does what the exit command would. */
bool relay_starter_told(void);

/* Writes the exit record and the journal's line (record.c); 0 or -errno. */
int record_exit(const struct plan *plan, pid_t child, const siginfo_t *exit, uint64_t log_lost);
/* Appends {…head…,"status":STATUS,"time":…} to the journal; 0 or -errno. */
int record_event(const struct plan *plan, const char *status, const siginfo_t *exit);

#endif
