// SPDX-License-Identifier: Apache-2.0
/* report.c: see report.h. */
#include "report.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void report_at(int fd, uint32_t kind, uint32_t op_index, int32_t error, int32_t value, uint64_t time_ns)
{
	const struct report report = {
		.kind = kind, .op_index = op_index, .error = error, .value = value, .time_ns = time_ns,
	};
	/* write(2), not send(2): the child may be under a seccomp filter by now, and every filter has it. */
	while (write(fd, &report, sizeof(report)) < 0 && errno == EINTR)
		;
}

void report(int fd, uint32_t kind, uint32_t op_index, int32_t error, int32_t value)
{
	report_at(fd, kind, op_index, error, value, monotonic_ns());
}
