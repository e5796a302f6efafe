/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h: cuts a stream of bytes into the records of a log. */
#ifndef TSRUN_LINES_H
#define TSRUN_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer line becomes several records. The kubelet expects no more than 16 KiB of one. */
#define LINE_MAX_SIZE 8192u

/* One stream's bytes that are not cut into records yet; all zero at first. */
struct lines {
	uint32_t start;         /* of what is held */
	uint32_t end;
	uint32_t searched;      /* no newline in [start, searched) */
	uint8_t *bytes;         /* LINE_MAX_SIZE of them */
};

struct line {
	const uint8_t *text;    /* without its newline; good until the next call */
	uint32_t size;
	bool full;              /* false: more of the same line follows */
};

/* Where to read to, and how much fits; never 0 after lines_next has returned false. */
uint8_t *lines_space(struct lines *lines, size_t *size);
/* That many bytes have been put at lines_space. */
void lines_added(struct lines *lines, size_t size);
/* The next record, or false when what is left is the beginning of a line that fits the buffer. */
bool lines_next(struct lines *lines, struct line *line);
/* What is held, as a partial record; false when nothing is. For the end of the stream or a pause. */
bool lines_flush(struct lines *lines, struct line *line);

#endif
