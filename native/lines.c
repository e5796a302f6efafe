// SPDX-License-Identifier: Apache-2.0
#include "lines.h"

#include <string.h>

uint8_t *lines_space(struct lines *lines, size_t *size)
{
	*size = LINE_MAX_SIZE - lines->end;
	return lines->bytes + lines->end;
}

void lines_added(struct lines *lines, size_t size)
{
	lines->end += (uint32_t)size;
}

static void take(struct lines *lines, struct line *line, uint32_t text_end, uint32_t next, bool full)
{
	*line = (struct line){
		.text = lines->bytes + lines->start,
		.size = text_end - lines->start,
		.full = full,
	};
	lines->start = next;
	lines->searched = next;
}

bool lines_next(struct lines *lines, struct line *line)
{
	const uint8_t *from = lines->bytes + lines->searched;
	const uint8_t *newline = memchr(from, '\n', lines->end - lines->searched);

	if (newline) {
		uint32_t at = (uint32_t)(newline - lines->bytes);

		take(lines, line, at, at + 1, true);
		return true;
	}
	if (lines->end - lines->start == LINE_MAX_SIZE)
		return lines_flush(lines, line);

	/* The beginning of a line: to the front, so that the whole line has room. */
	lines->end -= lines->start;
	memmove(lines->bytes, lines->bytes + lines->start, lines->end);
	lines->start = 0;
	lines->searched = lines->end;
	return false;
}

bool lines_flush(struct lines *lines, struct line *line)
{
	if (lines->start == lines->end)
		return false;
	take(lines, line, lines->end, lines->end, false);
	return true;
}
