/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h: a checked plan, carried out. */
#ifndef TSRUN_LAUNCH_H
#define TSRUN_LAUNCH_H

#include "ops.h"

/*
 * Host ops, clone3, parent ops, child ops, exec; then waits for the exit, records it and tears down.
 * Everything is reported on FD_CONTROL as it happens. The stage's exit status: 0, or 1 after a
 * failed launch, all of whose effects have been undone before REPORT_FAILED.
 */
int launch(struct context *context, mode_t umask);

#endif
