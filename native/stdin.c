// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE 1
#include "stdin.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define VEOF_ROOM 2 /* kept free for stdin_end */
#define CTRL_D 4

bool stdin_pending(const struct stdin_buffer *in)
{
	return in->fd >= 0 && (in->start < in->end || in->ending);
}

uint8_t *stdin_space(struct stdin_buffer *in, size_t *size)
{
	if (in->fd < 0 || in->ending) { /* thrown away: the buffer is only a place to read to */
		*size = STDIN_SIZE;
		if (in->start < in->end)
			*size = 0;
		return in->bytes;
	}
	if (in->start > 0) {
		in->end -= in->start;
		memmove(in->bytes, in->bytes + in->start, in->end);
		in->start = 0;
	}
	*size = in->end + VEOF_ROOM < STDIN_SIZE ? STDIN_SIZE - VEOF_ROOM - in->end : 0;
	return in->bytes + in->end;
}

void stdin_added(struct stdin_buffer *in, size_t size)
{
	if (in->fd < 0 || in->ending || size == 0)
		return;
	in->end += (uint32_t)size;
	in->last = in->bytes[in->end - 1];
}

/*
 * termios(3): VEOF makes a pending read return what was typed, and means end of file only on an
 * empty line; after the beginning of a line it takes two.
 */
static void add_veof(struct stdin_buffer *in)
{
	struct termios termios;
	bool known = tcgetattr(in->fd, &termios) == 0;
	uint8_t veof = known ? termios.c_cc[VEOF] : CTRL_D;
	bool canonical = known && (termios.c_lflag & ICANON);
	int count = canonical && in->last && in->last != '\n' && in->last != veof ? 2 : 1;

	for (; count > 0 && in->end < STDIN_SIZE; count--)
		in->bytes[in->end++] = veof;
	in->last = veof;
}

void stdin_end(struct stdin_buffer *in)
{
	if (in->fd < 0 || in->ending)
		return;
	if (in->pty)
		add_veof(in);
	else
		in->ending = true;
}

void stdin_discard(struct stdin_buffer *in)
{
	in->start = 0;
	in->end = 0;
	in->ending = false;
	if (in->fd >= 0 && !in->pty)
		close(in->fd);
	in->fd = -1;
}

void stdin_flush(struct stdin_buffer *in)
{
	if (in->fd < 0)
		return;
	while (in->start < in->end) {
		ssize_t count = write(in->fd, in->bytes + in->start, in->end - in->start);

		if (count < 0 && errno == EINTR)
			continue;
		if (count == 0 || (count < 0 && errno == EAGAIN))
			return;
		if (count < 0) {
			/* EPIPE: the container closed its stdin. EIO: a PTY without a slave loses input. */
			if (!in->pty)
				stdin_discard(in);
			in->start = 0;
			in->end = 0;
			return;
		}
		in->start += (uint32_t)count;
	}
	in->start = 0;
	in->end = 0;
	if (in->ending)
		stdin_discard(in);
}
