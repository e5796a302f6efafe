/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: what a C unit test needs: say what was expected and where, count, exit 1 in the end. */
#ifndef TSRUN_TEST_CHECK_H
#define TSRUN_TEST_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int check_count, check_failures;

static inline void check_at(const char *file, int line, const char *name, bool good)
{
	check_count++;
	if (good)
		return;
	check_failures++;
	printf("%s:%d: %s\n", file, line, name);
}

/* name: which row of the table, or the promise. */
#define CHECK(name, condition) check_at(__FILE__, __LINE__, name, condition)

static inline int check_result(const char *program)
{
	printf("%s: %d checks, %d failed\n", program, check_count, check_failures);
	return check_failures || !check_count ? 1 : 0;
}

#endif
