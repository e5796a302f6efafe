// SPDX-License-Identifier: Apache-2.0
/* clients_test.c: the frames of attach clients over real sockets: good, split, malformed; back-pressure. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "clients.h"
#include "plan.h"

static uint8_t outbox_bytes[OUTBOX_SIZE];
static uint8_t stdin_bytes[STDIN_SIZE];
static struct clients clients;
static struct stdin_buffer in;
static int container_stdin; /* what the container reads */

static void begin(void)
{
	int ends[2];

	CHECK("a pipe", pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	container_stdin = ends[0];
	in = (struct stdin_buffer){ .fd = ends[1], .bytes = stdin_bytes };
	clients = (struct clients){ .outbox.bytes = outbox_bytes };
	clients_init(&clients);
	clients.in = &in;
}

static void end(void)
{
	clients_finish(&clients, 0, 0);
	stdin_discard(&in);
	close(container_stdin);
}

static int connect_client(void)
{
	int ends[2];

	CHECK("a socket pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	clients_add(&clients, ends[1]);
	return ends[0];
}

static void turn(void)
{
	struct pollfd poll_for[CLIENT_COUNT];

	clients_poll(&clients, poll_for);
	if (poll(poll_for, CLIENT_COUNT, 0) > 0)
		clients_polled(&clients, poll_for);
	stdin_flush(&in);
}

static int connected(void)
{
	int count = 0;

	for (int i = 0; i < CLIENT_COUNT; i++)
		count += clients.client[i].fd >= 0;
	return count;
}

/* What the container has on its stdin now; *eof if that was all for ever. */
static size_t container_reads(char *bytes, size_t room, bool *eof)
{
	size_t size = 0;

	*eof = false;
	while (size < room) {
		ssize_t count = read(container_stdin, bytes + size, room - size);

		if (count <= 0) {
			*eof = count == 0;
			break;
		}
		size += (size_t)count;
	}
	return size;
}

#define STDIN(n) "\x10\0\0\0" n "\0\0\0"
#define RESIZE "\x11\0\0\0\4\0\0\0"

/* input is sent to a fresh client in two pieces, cut at every place. */
static const struct {
	const char *name;
	const char *input;
	size_t size;
	const char *arrives;    /* at the container */
	bool dropped;
	bool eof;
} table[] = {
#define ROW(name, input, arrives, dropped, eof) { name, input, sizeof(input) - 1, arrives, dropped, eof }
	ROW("nothing", "", "", false, false),
	ROW("a frame", STDIN("\5") "hello", "hello", false, false),
	ROW("two frames", STDIN("\3") "one" STDIN("\3") "two", "onetwo", false, false),
	ROW("the end of input", STDIN("\3") "one" STDIN("\0"), "one", false, true),
	ROW("input after its end is thrown away", STDIN("\0") STDIN("\3") "one", "", false, true),
	ROW("half a frame", STDIN("\5") "he", "he", false, false),
	ROW("a resize without a terminal", RESIZE "\1\0\2\0" STDIN("\2") "ok", "ok", false, false),
	ROW("type 0", "\0\0\0\0\0\0\0\0", "", true, false),
	ROW("a type of the other direction", "\1\0\0\0\1\0\0\0x", "", true, false),
	ROW("an unknown type", "\x7f\0\0\0\1\0\0\0x", "", true, false),
	ROW("a reserved byte", "\x10\0\1\0\1\0\0\0x", "", true, false),
	ROW("a frame too long", "\x10\0\0\0\1\x20\0\0x", "", true, false),
	ROW("a length of 4 GiB", "\x10\0\0\0\xff\xff\xff\xff", "", true, false),
	ROW("a resize too short", "\x11\0\0\0\2\0\0\0\1\0", "", true, false),
	ROW("a resize too long", "\x11\0\0\0\5\0\0\0\1\0\2\0\3", "", true, false),
	ROW("malformed after good", STDIN("\2") "ok\0\0\0\0\0\0\0\0", "ok", true, false),
};

static void check_row(size_t i, size_t cut)
{
	char arrived[64];
	bool eof;

	begin();
	int client = connect_client();
	CHECK("sent", write(client, table[i].input, cut) == (ssize_t)cut);
	turn();
	if (connected()) /* else the first piece was enough */
		CHECK("sent", write(client, table[i].input + cut, table[i].size - cut) ==
				      (ssize_t)(table[i].size - cut));
	turn();
	size_t size = container_reads(arrived, sizeof(arrived), &eof);
	CHECK(table[i].name, size == strlen(table[i].arrives) &&
				     memcmp(arrived, table[i].arrives, size) == 0);
	CHECK(table[i].name, connected() == !table[i].dropped);
	CHECK(table[i].name, eof == table[i].eof);
	close(client);
	end();
}

static size_t drain(int client, uint8_t *bytes, size_t room)
{
	size_t size = 0;
	ssize_t count;

	while (size < room && (count = read(client, bytes + size, room - size)) > 0)
		size += (size_t)count;
	return size;
}

/* Every client gets every byte, each at its own speed, in whole frames. */
static void check_output(void)
{
	static uint8_t got[2][1 << 21];
	static uint8_t chunk[RELAY_MAX_PAYLOAD];
	size_t size[2] = { 0, 0 }, sent = 0, blocked = 0;

	begin();
	int fast = connect_client(), slow = connect_client();
	for (int i = 0; i < 400; i++) {
		size_t room = clients_room(&clients);
		size_t want = 1 + (size_t)(i * 997) % RELAY_MAX_PAYLOAD;

		if (room == 0) { /* the slow one is behind: it holds up the container */
			blocked++;
			size[1] += drain(slow, got[1] + size[1], sizeof(got[1]) - size[1]);
			turn();
			continue;
		}
		if (want > room)
			want = room;
		memset(chunk, 'a' + i % 26, want);
		clients_output(&clients, i % 3 ? RELAY_STDOUT : RELAY_STDERR, chunk, want);
		sent += want + sizeof(struct relay_frame);
		size[0] += drain(fast, got[0] + size[0], sizeof(got[0]) - size[0]);
	}
	for (int i = 0; i < 10; i++) {
		size[0] += drain(fast, got[0] + size[0], sizeof(got[0]) - size[0]);
		size[1] += drain(slow, got[1] + size[1], sizeof(got[1]) - size[1]);
		turn();
	}
	CHECK("a slow client was waited for", blocked > 0);
	CHECK("nobody is owed", !clients_owed(&clients));
	CHECK("all of it arrived", size[0] == sent && size[1] == sent);
	CHECK("the same for both", memcmp(got[0], got[1], sent) == 0);

	size_t at = 0;
	while (at + sizeof(struct relay_frame) <= sent) {
		struct relay_frame frame;

		memcpy(&frame, got[0] + at, sizeof(frame));
		CHECK("a frame's type", frame.type == RELAY_STDOUT || frame.type == RELAY_STDERR);
		CHECK("a frame's length", frame.length > 0 && frame.length <= RELAY_MAX_PAYLOAD);
		at += sizeof(frame) + frame.length;
	}
	CHECK("whole frames", at == sent);
	close(fast);
	close(slow);
	end();
}

static void check_frozen_then_killed(void)
{
	static uint8_t chunk[RELAY_MAX_PAYLOAD];
	size_t room;

	begin();
	int frozen = connect_client();
	for (int i = 0; i < 1000 && (room = clients_room(&clients)) > 0; i++)
		clients_output(&clients, RELAY_STDOUT, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
	CHECK("a frozen client stops the output", clients_room(&clients) == 0);
	close(frozen);
	turn();
	turn();
	CHECK("a killed one does not", clients_room(&clients) > 0 && connected() == 0);
	end();
}

/* Input goes in as far as the container reads; the client's socket holds the rest. */
static void check_input_pressure(void)
{
	static uint8_t frame[sizeof(struct relay_frame) + RELAY_MAX_PAYLOAD];
	static char arrived[1 << 20];
	struct relay_frame header = { .type = RELAY_STDIN, .length = RELAY_MAX_PAYLOAD };
	size_t total = 0, got = 0;
	bool eof;

	begin();
	int client = connect_client();
	memcpy(frame, &header, sizeof(header));
	memset(frame + sizeof(header), 'z', RELAY_MAX_PAYLOAD);
	for (int i = 0; i < 1000; i++) {
		ssize_t count = send(client, frame, sizeof(frame), MSG_DONTWAIT);

		turn();
		if (count < 0)
			break;
		CHECK("frames go whole", count == sizeof(frame));
		total += RELAY_MAX_PAYLOAD;
	}
	CHECK("the writer is held up", errno == EAGAIN && total < 999 * RELAY_MAX_PAYLOAD);
	close(client); /* it is gone, and what it sent counts */
	for (int i = 0; i < 1000; i++) {
		got += container_reads(arrived, sizeof(arrived), &eof);
		turn();
	}
	CHECK("all input arrived", got == total);
	CHECK("then the client is dropped", connected() == 0);
	CHECK("stdin stays open for the next", !eof);
	end();
}

static void check_stdin_once(void)
{
	char arrived[8];
	bool eof;

	begin();
	clients.stdin_once = true;
	int client = connect_client();
	CHECK("sent", write(client, STDIN("\2") "ab", 10) == 10);
	shutdown(client, SHUT_WR);
	turn();
	turn();
	CHECK("input ends with the client's",
	      container_reads(arrived, sizeof(arrived), &eof) == 2 && eof);
	CHECK("it still listens", connected() == 1);
	clients_output(&clients, RELAY_STDOUT, "x", 1);
	uint8_t got[16];
	CHECK("and hears", drain(client, got, sizeof(got)) == 9);
	close(client);
	turn();
	CHECK("until it hangs up", connected() == 0);
	end();
}

static void check_torn_end(void)
{
	char arrived[8];
	bool eof;

	begin();
	int client = connect_client();
	CHECK("sent", write(client, STDIN("\5") "ab", 10) == 10);
	shutdown(client, SHUT_WR);
	turn();
	turn();
	CHECK("an end inside a frame drops the client", connected() == 0);
	CHECK("what came is input", container_reads(arrived, sizeof(arrived), &eof) == 2 && !eof);
	close(client);
	end();
}

static void check_crowd(void)
{
	int client[CLIENT_COUNT + 1];
	struct relay_frame frame = { 0 };

	begin();
	for (int i = 0; i <= CLIENT_COUNT; i++)
		client[i] = connect_client();
	CHECK("as many as there is room for", connected() == CLIENT_COUNT);
	CHECK("the next is told", read(client[CLIENT_COUNT], &frame, sizeof(frame)) == sizeof(frame) &&
					  frame.type == RELAY_BUSY && frame.length == 0);
	CHECK("and closed", read(client[CLIENT_COUNT], &frame, sizeof(frame)) == 0);
	close(client[3]);
	turn();
	int next = connect_client();
	CHECK("a place that was left is taken", connected() == CLIENT_COUNT);
	close(next);
	for (int i = 0; i <= CLIENT_COUNT; i++)
		if (i != 3)
			close(client[i]);
	end();
}

/* The supervisor closes at once; a client that still writes must be able to read its last frames first. */
static void check_last_frame(void)
{
	uint8_t got[64];
	int32_t body[2];

	begin();
	int client = connect_client();
	clients_output(&clients, RELAY_STDOUT, "bye", 3);
	clients_finish(&clients, 1, 42);
	CHECK("writing does not fail before the last frame is read",
	      send(client, STDIN("\1") "x", 9, MSG_NOSIGNAL) == 9);
	CHECK("output, then the exit", drain(client, got, sizeof(got)) == 11 + 16);
	memcpy(body, got + 11 + 8, sizeof(body));
	CHECK("the exit", got[11] == RELAY_EXIT && body[0] == 1 && body[1] == 42);
	CHECK("then it does", send(client, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	close(client);
	end();
}

int main(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		for (size_t cut = 0; cut <= table[i].size; cut++)
			check_row(i, cut);
	check_output();
	check_frozen_then_killed();
	check_input_pressure();
	check_stdin_once();
	check_torn_end();
	check_crowd();
	check_last_frame();
	return check_result("clients_test");
}
