// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE 1
#include "clients.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plan.h"
#include "syscalls.h"

#define FRAMES_A_TURN 16 /* of one client before the others and the container get theirs */
#define MIN_FRAME 512    /* waiting for this much room avoids a flood of tiny frames */

void clients_init(struct clients *clients)
{
	for (int i = 0; i < CLIENT_COUNT; i++)
		clients->client[i].fd = -1;
	clients->listener = -1;
	clients->pty_master = -1;
}

bool clients_any(const struct clients *clients)
{
	for (int i = 0; i < CLIENT_COUNT; i++)
		if (clients->client[i].fd >= 0)
			return true;
	return false;
}

/* Room in the outbox is what the slowest client has taken; a client that is gone holds nothing back. */
static void trim(struct clients *clients)
{
	struct outbox *outbox = &clients->outbox;
	uint64_t tail = outbox->head;

	for (int i = 0; i < CLIENT_COUNT; i++) {
		const struct client *client = &clients->client[i];

		if (client->fd >= 0 && !client->gone && client->position < tail)
			tail = client->position;
	}
	outbox->tail = tail;
}

static void end_input(struct clients *clients, struct client *client)
{
	if (!client->ended && clients->stdin_once)
		stdin_end(clients->in);
	client->ended = true;
}

static void drop(struct clients *clients, struct client *client)
{
	end_input(clients, client);
	close(client->fd);
	client->fd = -1;
	trim(clients);
}

/* A frame that is sent whole or not at all, past the outbox. rights: a descriptor to go with it, or -1. */
static void send_last(int fd, uint8_t type, const int32_t body[2], int rights)
{
	struct {
		struct relay_frame frame;
		int32_t body[2];
	} last = { .frame = { .type = type } };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = { &last, sizeof(last.frame) };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (body) {
		last.frame.length = sizeof(last.body);
		memcpy(last.body, body, sizeof(last.body));
		piece.iov_len = sizeof(last);
	}
	if (rights >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &rights, sizeof(rights));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	ssize_t count = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count < 0 && rights >= 0 && errno != EAGAIN) /* ETOOMANYREFS */
		send_last(fd, type, body, -1);
	/* A client that has no room for it learns the end from the end of file. */
}

void clients_add(struct clients *clients, int fd)
{
	for (int i = 0; i < CLIENT_COUNT; i++) {
		struct client *client = &clients->client[i];

		if (client->fd >= 0)
			continue;
		*client = (struct client){ .fd = fd, .position = clients->outbox.head };
		return;
	}
	send_last(fd, RELAY_BUSY, NULL, fd);
	close(fd);
}

void clients_accept(struct clients *clients)
{
	for (;;) {
		int fd = accept4(clients->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			clients_add(clients, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		clients->crowded = errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				   errno == ENOMEM;
		return;
	}
}

size_t clients_room(const struct clients *clients)
{
	if (!clients_any(clients))
		return SIZE_MAX;
	size_t room = outbox_room(&clients->outbox);
	if (room < sizeof(struct relay_frame) + MIN_FRAME)
		return 0;
	room -= sizeof(struct relay_frame);
	return room < RELAY_MAX_PAYLOAD ? room : RELAY_MAX_PAYLOAD;
}

void clients_output(struct clients *clients, uint8_t type, const void *bytes, size_t size)
{
	struct relay_frame frame = { .type = type, .length = (uint32_t)size };

	if (!clients_any(clients))
		return;
	outbox_put(&clients->outbox, &frame, sizeof(frame));
	outbox_put(&clients->outbox, bytes, size);
	clients_send(clients);
}

static bool owed(const struct clients *clients, const struct client *client)
{
	return client->fd >= 0 && !client->gone && client->position < clients->outbox.head;
}

bool clients_owed(const struct clients *clients)
{
	for (int i = 0; i < CLIENT_COUNT; i++)
		if (owed(clients, &clients->client[i]))
			return true;
	return false;
}

/* Whether the client took anything. One that cannot receive may still have sent input that counts. */
static bool send_pending(struct clients *clients, struct client *client)
{
	bool any = false;

	while (owed(clients, client)) {
		struct iovec pieces[2];
		struct msghdr message = { .msg_iov = pieces };

		message.msg_iovlen =
			(size_t)outbox_pending(&clients->outbox, client->position, pieces);
		ssize_t count = sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
			break;
		if (count < 0) {
			client->gone = true;
			break;
		}
		client->position += (uint64_t)count;
		any = true;
	}
	if (client->gone && client->ended)
		drop(clients, client);
	return any;
}

bool clients_send(struct clients *clients)
{
	bool any = false;

	for (int i = 0; i < CLIENT_COUNT; i++)
		if (owed(clients, &clients->client[i]) && send_pending(clients, &clients->client[i]))
			any = true;
	trim(clients);
	return any;
}

/* A received header: false for one that no client of ours sends. */
static bool header_is_good(const struct relay_frame *frame)
{
	if (frame->reserved[0] || frame->reserved[1] || frame->reserved[2])
		return false;
	switch (frame->type) {
	case RELAY_STDIN:
		return frame->length <= RELAY_MAX_PAYLOAD;
	case RELAY_RESIZE:
		return frame->length == sizeof(((struct client *)0)->body);
	case RELAY_LEAVE:
		return frame->length == 0;
	default:
		return false;
	}
}

/*
 * The client closes its window, but not on us: no death signal (PLAN_DIE_WITH_PARENT), and a session
 * of our own. A daemon leads one already, and has no such signal.
 */
static void let_go_of_caller(void)
{
	sys_prctl(PR_SET_PDEATHSIG, 0, 0, 0);
	(void)setsid();
}

static void resize(const struct clients *clients, const uint8_t body[4])
{
	uint16_t size[2]; /* rows, columns */

	memcpy(size, body, sizeof(size));
	struct winsize window = { .ws_row = size[0], .ws_col = size[1] };
	/* The kernel sends SIGWINCH to the foreground process group itself. */
	if (clients->pty_master >= 0)
		(void)ioctl(clients->pty_master, TIOCSWINSZ, &window);
}

/* The next step of receiving a frame: where its bytes go. size 0: there is no room for input now. */
static uint8_t *receive_space(struct clients *clients, struct client *client, size_t *size)
{
	uint8_t *space;

	if (client->header_size < sizeof(client->header)) {
		*size = sizeof(client->header) - client->header_size;
		return client->header + client->header_size;
	}
	if (client->header[0] == RELAY_RESIZE) {
		*size = client->body_left;
		return client->body + sizeof(client->body) - client->body_left;
	}
	space = stdin_space(clients->in, size);
	if (*size > client->body_left)
		*size = client->body_left;
	return space;
}

/* size bytes have been put at receive_space; false for a malformed frame, or the last. */
static bool received(struct clients *clients, struct client *client, size_t size)
{
	struct relay_frame frame;

	if (client->header_size < sizeof(client->header)) {
		client->header_size += (uint8_t)size;
		if (client->header_size < sizeof(client->header))
			return true;
		memcpy(&frame, client->header, sizeof(frame));
		if (!header_is_good(&frame))
			return false;
		client->body_left = frame.length;
		if (frame.type == RELAY_STDIN && frame.length == 0)
			stdin_end(clients->in);
		if (frame.type == RELAY_LEAVE) {
			let_go_of_caller();
			return false;
		}
	} else {
		client->body_left -= (uint32_t)size;
		if (client->header[0] == RELAY_STDIN)
			stdin_added(clients->in, size);
		else if (client->body_left == 0)
			resize(clients, client->body);
	}
	if (client->body_left == 0)
		client->header_size = 0;
	return true;
}

static void receive(struct clients *clients, struct client *client)
{
	for (int turn = 0; turn < 2 * FRAMES_A_TURN; turn++) {
		size_t size;
		uint8_t *space = receive_space(clients, client, &size);

		if (size == 0)
			return;
		ssize_t count = recv(client->fd, space, size, MSG_DONTWAIT);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			return;
		if (count > 0 && received(clients, client, (size_t)count))
			continue;

		/* Between two frames the end of file is a half-closed client that still listens. */
		bool torn = client->header_size > 0;
		end_input(clients, client);
		if (count != 0 || torn || client->gone)
			drop(clients, client);
		return;
	}
}

void clients_receive(struct clients *clients)
{
	for (int i = 0; i < CLIENT_COUNT; i++)
		if (clients->client[i].fd >= 0 && !clients->client[i].ended)
			receive(clients, &clients->client[i]);
}

void clients_poll(const struct clients *clients, struct pollfd *poll)
{
	size_t room;

	stdin_space(clients->in, &room);
	for (int i = 0; i < CLIENT_COUNT; i++) {
		const struct client *client = &clients->client[i];
		short events = 0;

		if (!client->ended && room > 0)
			events |= POLLIN;
		if (owed(clients, client))
			events |= POLLOUT;
		/* poll(2) always reports POLLHUP: one that hung up is asked only what it sent before. */
		poll[i].fd = client->gone && !events ? -1 : client->fd;
		poll[i].events = events;
		poll[i].revents = 0;
	}
}

void clients_polled(struct clients *clients, const struct pollfd *poll)
{
	for (int i = 0; i < CLIENT_COUNT; i++) {
		struct client *client = &clients->client[i];
		short events = poll[i].revents;

		if (poll[i].fd < 0 || !events)
			continue;
		if (events & (POLLHUP | POLLERR | POLLNVAL))
			client->gone = true;
		if (!client->ended && (events & ~POLLOUT))
			receive(clients, client);
		if (client->fd >= 0 && client->gone && client->ended)
			drop(clients, client);
		if (owed(clients, client))
			send_pending(clients, client);
	}
	trim(clients);
}

void clients_drop_owed(struct clients *clients)
{
	for (int i = 0; i < CLIENT_COUNT; i++)
		if (owed(clients, &clients->client[i]))
			drop(clients, &clients->client[i]);
}

void clients_widen(struct clients *clients)
{
	int size = 1 << 20; /* the kernel takes as much of it as net.core.wmem_max allows */

	for (int i = 0; i < CLIENT_COUNT; i++)
		if (clients->client[i].fd >= 0)
			(void)setsockopt(clients->client[i].fd, SOL_SOCKET, SO_SNDBUF, &size,
					 sizeof(size));
}

/*
 * The last frame carries this end of the socket itself, so that it stays open until the client has read
 * that far. Were it closed before, a client that still writes would get EPIPE, and a client's library
 * that gives up then would never read the container's last words.
 */
void clients_finish(struct clients *clients, int32_t code, int32_t status)
{
	int32_t body[2] = { code, status };

	if (clients->listener >= 0) {
		clients_accept(clients);
		close(clients->listener);
		clients->listener = -1;
	}
	clients_send(clients);
	for (int i = 0; i < CLIENT_COUNT; i++) {
		struct client *client = &clients->client[i];

		if (client->fd < 0)
			continue;
		if (code != 0 && !owed(clients, client)) {
			send_last(client->fd, RELAY_EXIT, body, client->fd);
			clients->starter_told |= client->starter && !client->gone;
		}
		close(client->fd);
		client->fd = -1;
	}
}
