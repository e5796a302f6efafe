/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox.h: the frames that attach clients have still to take.
 *
 * A ring that all clients read, each at its own position (a count of bytes since the start). What the
 * slowest has not taken stays; when there is no room, the container's output is not read.
 */
#ifndef TSRUN_OUTBOX_H
#define TSRUN_OUTBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define OUTBOX_SIZE 16384u

struct outbox {
	uint64_t head;          /* where the next byte is put */
	uint64_t tail;          /* the slowest reader */
	uint8_t *bytes;         /* OUTBOX_SIZE of them */
};

size_t outbox_room(const struct outbox *outbox);
/* size is at most the room. */
void outbox_put(struct outbox *outbox, const void *bytes, size_t size);
/* What a reader at position has still to take, in one or two pieces; how many. */
int outbox_pending(const struct outbox *outbox, uint64_t position, struct iovec pieces[2]);

#endif
