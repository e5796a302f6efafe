// SPDX-License-Identifier: Apache-2.0
#include "outbox.h"

#include <string.h>

size_t outbox_room(const struct outbox *outbox)
{
	return OUTBOX_SIZE - (size_t)(outbox->head - outbox->tail);
}

void outbox_put(struct outbox *outbox, const void *bytes, size_t size)
{
	size_t at = outbox->head % OUTBOX_SIZE;
	size_t first = size < OUTBOX_SIZE - at ? size : OUTBOX_SIZE - at;

	memcpy(outbox->bytes + at, bytes, first);
	memcpy(outbox->bytes, (const uint8_t *)bytes + first, size - first);
	outbox->head += size;
}

int outbox_pending(const struct outbox *outbox, uint64_t position, struct iovec pieces[2])
{
	size_t size = (size_t)(outbox->head - position);
	size_t at = position % OUTBOX_SIZE;
	size_t first = size < OUTBOX_SIZE - at ? size : OUTBOX_SIZE - at;

	pieces[0] = (struct iovec){ outbox->bytes + at, first };
	pieces[1] = (struct iovec){ outbox->bytes, size - first };
	return (first > 0) + (size > first);
}
