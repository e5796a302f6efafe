/* SPDX-License-Identifier: Apache-2.0 */
/* stdin.h: what clients typed and the container has not read yet. */
#ifndef TSRUN_STDIN_H
#define TSRUN_STDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STDIN_SIZE 8192u

struct stdin_buffer {
	int fd;                 /* non-blocking; -1: what comes is thrown away */
	bool pty;               /* fd is a PTY's master, which stays open at the end of input */
	bool ending;            /* close fd once it took everything */
	uint32_t start, end;
	uint8_t last;           /* byte that was put, for the end of input on a PTY */
	uint8_t *bytes;         /* STDIN_SIZE of them */
};

/* Where to put input, and how much fits; 0 while the container does not read. */
uint8_t *stdin_space(struct stdin_buffer *in, size_t *size);
void stdin_added(struct stdin_buffer *in, size_t size);
/* Input ends here: a pipe is closed after the last byte, a PTY gets its VEOF character. */
void stdin_end(struct stdin_buffer *in);
/* Writes what the container takes now. */
void stdin_flush(struct stdin_buffer *in);
bool stdin_pending(const struct stdin_buffer *in);
/* The container is gone: forgets what it did not read. A pipe is closed. */
void stdin_discard(struct stdin_buffer *in);

#endif
