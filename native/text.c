// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <string.h>

struct text text_in(char *bytes, size_t room)
{
	bytes[0] = '\0';
	return (struct text){ .bytes = bytes, .room = room };
}

void text_bytes(struct text *text, const char *bytes, size_t size)
{
	if (text->cut || size >= text->room - text->size) {
		text->cut = true;
		return;
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

void text_string(struct text *text, const char *string)
{
	text_bytes(text, string, strlen(string));
}

void text_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_bytes(text, digits + at, sizeof(digits) - at);
}
