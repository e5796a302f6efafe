/* SPDX-License-Identifier: Apache-2.0 */
/* report.h: what the stage says while it works. */
#ifndef TSRUN_REPORT_H
#define TSRUN_REPORT_H

#include <stdint.h>

#include "plan.h"

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t monotonic_ns(void);

/*
 * Sends one report, as one write. A peer that has gone is no failure: a daemon's caller leaves, and
 * the exit record says the same. The child sends to its stage with it too.
 */
void report(int fd, uint32_t kind, uint32_t op_index, int32_t error, int32_t value);
void report_at(int fd, uint32_t kind, uint32_t op_index, int32_t error, int32_t value, uint64_t time_ns);

#endif
