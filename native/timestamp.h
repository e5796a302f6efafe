/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp.h: RFC 3339 in UTC with nanoseconds, without libc's time zone code. */
#ifndef TSRUN_TIMESTAMP_H
#define TSRUN_TIMESTAMP_H

#include <time.h>

/* "2026-11-21T10:44:43.123456789Z", no terminator. */
#define TIMESTAMP_SIZE 30

/* Always TIMESTAMP_SIZE bytes; times before 1970 or after 9999 are clamped to those. */
void timestamp_format(char out[TIMESTAMP_SIZE], const struct timespec *time);

/* The same for CLOCK_REALTIME. */
void timestamp_now(char out[TIMESTAMP_SIZE]);

#endif
