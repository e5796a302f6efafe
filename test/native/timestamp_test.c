// SPDX-License-Identifier: Apache-2.0
/* timestamp_test.c: RFC 3339 at the calendar's edges, and every day of four centuries against gmtime. */
#include "check.h"
#include "timestamp.h"

static const struct {
	int64_t seconds;
	long nanoseconds;
	const char *expected;
} table[] = {
	{ 0, 0, "1970-01-01T00:00:00.000000000Z" },
	{ 1, 1, "1970-01-01T00:00:01.000000001Z" },
	{ 951782399, 999999999, "2000-02-28T23:59:59.999999999Z" },
	{ 951782400, 0, "2000-02-29T00:00:00.000000000Z" },
	{ 951868800, 0, "2000-03-01T00:00:00.000000000Z" },
	{ 1709164800, 0, "2024-02-29T00:00:00.000000000Z" },
	{ 1735689599, 123456789, "2024-12-31T23:59:59.123456789Z" },
	{ 1735689600, 100, "2025-01-01T00:00:00.000000100Z" },
	{ 2147483647, 0, "2038-01-19T03:14:07.000000000Z" },
	{ 2147483648, 0, "2038-01-19T03:14:08.000000000Z" },
	{ 4107542400, 0, "2100-03-01T00:00:00.000000000Z" },
	{ 253402300799, 0, "9999-12-31T23:59:59.000000000Z" },
	{ 253402300800, 0, "9999-12-31T23:59:59.000000000Z" },
	{ -1, 5, "1970-01-01T00:00:00.000000005Z" },
};

static bool formats(int64_t seconds, long nanoseconds, const char *expected)
{
	struct timespec time = { .tv_sec = seconds, .tv_nsec = nanoseconds };
	char text[TIMESTAMP_SIZE + 1] = { 0 };

	text[TIMESTAMP_SIZE] = '#'; /* nothing is written behind it */
	timestamp_format(text, &time);
	return text[TIMESTAMP_SIZE] == '#' && memcmp(text, expected, TIMESTAMP_SIZE) == 0;
}

static void check_days(void)
{
	for (int64_t day = 0; day < 146097; day++) {
		time_t seconds = day * 86400 + day % 86400;
		char expected[64];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000042Z", &tm);
		if (!formats(seconds, 42, expected)) {
			CHECK(expected, false);
			return;
		}
	}
	CHECK("400 years agree with gmtime", true);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		CHECK(table[i].expected,
		      formats(table[i].seconds, table[i].nanoseconds, table[i].expected));
	check_days();
	return check_result("timestamp_test");
}
