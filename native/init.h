/* SPDX-License-Identifier: Apache-2.0 */
/* init.h: a small PID 1 in front of the container's command (OP_INIT). */
#ifndef TSRUN_INIT_H
#define TSRUN_INIT_H

/*
 * Forks. In the new process it returns 0 and the launch goes on there; the caller stays, reaps
 * whatever ends, passes signals on, and ends as the new process does (128+n for a signal). Returns
 * -errno if there can be no new process.
 */
int init_split(void);

#endif
