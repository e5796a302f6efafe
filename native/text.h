/* SPDX-License-Identifier: Apache-2.0 */
/* text.h: short texts put together in a fixed buffer, without stdio. */
#ifndef TSRUN_TEXT_H
#define TSRUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes;            /* always terminated */
	size_t room;            /* with the terminator */
	size_t size;
	bool cut;               /* something did not fit */
};

struct text text_in(char *bytes, size_t room);
void text_bytes(struct text *text, const char *bytes, size_t size);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number);

#endif
