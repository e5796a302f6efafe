// SPDX-License-Identifier: Apache-2.0
/*
 * clients_fuzz.c: any bytes from attach clients. The first byte says how many clients there are, the
 * others are dealt to them; the supervisor's side must stay within its buffers and never spin.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t outbox_bytes[OUTBOX_SIZE];
static uint8_t stdin_bytes[STDIN_SIZE];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clients clients = { .outbox.bytes = outbox_bytes };
	struct stdin_buffer in = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .bytes = stdin_bytes };
	int ours[4];
	size_t count = size ? 1 + data[0] % 4 : 1;

	clients_init(&clients);
	clients.in = &in;
	for (size_t i = 0; i < count; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
			abort();
		ours[i] = ends[0];
		clients_add(&clients, ends[1]);
	}
	for (size_t at = 1; at < size;) {
		size_t piece = 1 + data[at] % 64;
		struct pollfd poll_for[CLIENT_COUNT];

		if (piece > size - at)
			piece = size - at;
		(void)!send(ours[at % count], data + at, piece, MSG_NOSIGNAL);
		at += piece;
		clients_poll(&clients, poll_for);
		if (poll(poll_for, CLIENT_COUNT, 0) > 0)
			clients_polled(&clients, poll_for);
		if (clients_room(&clients) >= piece)
			clients_output(&clients, RELAY_STDOUT, data, piece);
		stdin_flush(&in);
	}
	clients_finish(&clients, 1, 0);
	stdin_discard(&in);
	for (size_t i = 0; i < count; i++)
		close(ours[i]);
	return 0;
}
