// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE 1
#include "timestamp.h"

#include <stdint.h>
#include <string.h>

#define SECONDS_A_DAY 86400
#define LAST_SECOND 253402300799 /* 9999-12-31T23:59:59Z */

static void put_digits(char *out, int width, uint32_t value)
{
	for (int i = width - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
}

/*
 * The Gregorian date of a day counted from 1970-01-01. The year is taken to begin on 1 March, so that
 * the leap day is its last, and 400 years always have 146097 days.
 */
static void date_of_day(uint32_t day, uint32_t *year, uint32_t *month, uint32_t *date)
{
	uint32_t shifted = day + 719468; /* days since 0000-03-01 */
	uint32_t era = shifted / 146097;
	uint32_t day_of_era = shifted % 146097;
	uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				day_of_era / 146096) / 365;
	uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t march_month = (5 * day_of_year + 2) / 153;

	*date = day_of_year - (153 * march_month + 2) / 5 + 1;
	*month = march_month < 10 ? march_month + 3 : march_month - 9;
	*year = era * 400 + year_of_era + (*month <= 2 ? 1 : 0);
}

void timestamp_format(char out[TIMESTAMP_SIZE], const struct timespec *time)
{
	int64_t seconds = time->tv_sec;
	uint32_t year, month, date;

	if (seconds < 0)
		seconds = 0;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	date_of_day((uint32_t)(seconds / SECONDS_A_DAY), &year, &month, &date);
	uint32_t second = (uint32_t)(seconds % SECONDS_A_DAY);

	memcpy(out, "0000-00-00T00:00:00.000000000Z", TIMESTAMP_SIZE);
	put_digits(out, 4, year);
	put_digits(out + 5, 2, month);
	put_digits(out + 8, 2, date);
	put_digits(out + 11, 2, second / 3600);
	put_digits(out + 14, 2, second / 60 % 60);
	put_digits(out + 17, 2, second % 60);
	put_digits(out + 20, 9, (uint32_t)time->tv_nsec);
}

void timestamp_now(char out[TIMESTAMP_SIZE])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	timestamp_format(out, &now);
}
