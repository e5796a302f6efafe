/* SPDX-License-Identifier: Apache-2.0 */
/* clients.h: the attach clients: who is connected, what they are owed, what they ask. */
#ifndef TSRUN_CLIENTS_H
#define TSRUN_CLIENTS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "outbox.h"
#include "stdin.h"

#define CLIENT_COUNT 16

struct client {
	int fd;                 /* -1: free */
	uint64_t position;      /* in the outbox */
	uint8_t header[8];      /* of the frame that is being received */
	uint8_t header_size;    /* bytes of it that are here */
	uint8_t body[4];        /* of a RELAY_RESIZE */
	uint32_t body_left;     /* bytes of the frame's body that are not here yet */
	bool ended;             /* it sends no more */
	bool gone;              /* it receives no more */
	bool starter;           /* PLAN_RELAY_CLIENT: who started the container */
};

struct clients {
	int listener;           /* non-blocking, or -1 */
	bool crowded;           /* no descriptor or memory for accept: not polled until clients_retry */
	bool stdin_once;        /* input ends with the first client that sends no more */
	int pty_master;         /* for RELAY_RESIZE, or -1 */
	bool starter_told;      /* the starter got RELAY_EXIT */
	struct stdin_buffer *in;
	struct outbox outbox;
	struct client client[CLIENT_COUNT];
};

void clients_init(struct clients *clients);
/* Takes fd over. With CLIENT_COUNT clients there already, it is told RELAY_BUSY and closed. */
void clients_add(struct clients *clients, int fd);
void clients_accept(struct clients *clients);
bool clients_any(const struct clients *clients);

/* Bytes of output that can be queued as one frame now; any amount when nobody listens. */
size_t clients_room(const struct clients *clients);
/* Queues size <= clients_room() bytes of output and sends what the clients take at once. */
void clients_output(struct clients *clients, uint8_t type, const void *bytes, size_t size);
/* Some client has not taken everything. */
bool clients_owed(const struct clients *clients);
/* Sends what the clients take now; whether any took something. */
bool clients_send(struct clients *clients);
/* Reads what the clients ask, as far as there is room for their input. */
void clients_receive(struct clients *clients);
/* Fills poll[CLIENT_COUNT]; clients_polled looks at the answers. */
void clients_poll(const struct clients *clients, struct pollfd *poll);
void clients_polled(struct clients *clients, const struct pollfd *poll);
/* Drops those that have not taken everything. */
void clients_drop_owed(struct clients *clients);
/* The container has exited: what is left goes to the kernel's buffers, so that nobody waits for a slow client. */
void clients_widen(struct clients *clients);
/*
 * The last frame for all, those still in the listener's queue too; then everything is closed. code is
 * CLD_EXITED, …; 0 sends no RELAY_EXIT.
 */
void clients_finish(struct clients *clients, int32_t code, int32_t status);

#endif
