/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h: what the stage does with signals sent to it. */
#ifndef TSRUN_SIGNALS_H
#define TSRUN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * From the stage's first moment: all dispositions as after a fork of init, and the signals that it
 * will pass on held back until there is somebody to pass them to.
 */
void signals_reset(void);

/* After clone, in the stage: handlers in place. A daemon has no terminal and ignores its signals. */
void signals_handle(bool daemon);

/* The mask for ppoll(2) during the launch, which a signal interrupts; then signals_interrupted. */
const sigset_t *signals_waiting_mask(void);
bool signals_interrupted(void);

/* The container runs: from now on, and for those held back too, signals go to it. */
void signals_forward_to(int pidfd, pid_t child);
/* It has exited: they go nowhere. */
void signals_stop(void);

/*
 * In a child that waits for its start, perhaps as PID 1, whom no signal harms by default: what would end
 * another process ends this one, with status 128 + signal. Until its exec.
 */
void signals_end_process(void);

/* Before an exec: nothing ignored, nothing blocked. */
void signals_restore(void);

#endif
