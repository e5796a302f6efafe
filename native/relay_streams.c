// SPDX-License-Identifier: Apache-2.0
/*
 * relay_streams.c: see relay_streams.h. What is read from the container is in the log and in the outbox
 * before the next read, so nothing is lost and a client that does not read makes the container wait, as a
 * full pipe would.
 */
#include "relay_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "timestamp.h"

#define READS_A_TURN 4          /* of one stream before the others get theirs */

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void open_pty_peer(int master)
{
	if (relay.pty_peer >= 0)
		close(relay.pty_peer);
	relay.pty_peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

void streams_close_pty_peer(void)
{
	if (relay.pty_peer >= 0)
		close(relay.pty_peer);
	relay.pty_peer = -1;
}

void streams_take(const struct stdio *stdio)
{
	bool pty = stdio->pty_master >= 0;
	bool keep_stdin = relay.plan->header->flags & PLAN_STDIN;
	int input = pty ? stdio->pty_master : stdio->stdin_write;
	int output[2] = { pty ? stdio->pty_master : stdio->stdout_read,
			  pty ? -1 : stdio->stderr_read };

	for (int i = 0; i < 2; i++) {
		relay.stream[i] = (struct stream){
			.fd = output[i],
			.frame_type = i == 0 ? RELAY_STDOUT : RELAY_STDERR,
			.name = i == 0 ? "stdout" : "stderr",
			.lines.bytes = relay_buffers.output[i],
		};
		if (output[i] >= 0)
			set_nonblocking(output[i]);
	}
	relay.in.fd = input;
	relay.in.pty = pty;
	if (input >= 0)
		set_nonblocking(input);
	if (!keep_stdin)
		stdin_discard(&relay.in); /* what clients type is thrown away */
	if (pty) {
		relay.clients.pty_master = stdio->pty_master;
		open_pty_peer(stdio->pty_master);
	}
	relay.clients.stdin_once = relay.plan->header->flags & PLAN_STDIN_ONCE;
}

static void tell_log_error(void)
{
	if (log_take_error() == 0 || relay.log_error_told)
		return;
	relay.log_error_told = true;
	/* The disk that fails the log may fail the journal too; the exit record has the count. */
	(void)record_event(relay.plan, "log-error", NULL);
}

static void log_lines(struct stream *stream, bool partial_too)
{
	char time[TIMESTAMP_SIZE];
	struct line line;

	if (!relay.logging)
		return;
	timestamp_now(time);
	while (lines_next(&stream->lines, &line))
		log_add(stream->name, &line, time);
	if (partial_too && lines_flush(&stream->lines, &line))
		log_add(stream->name, &line, time);
	log_flush();
	tell_log_error();
}

static void end_stream(struct stream *stream)
{
	log_lines(stream, true);
	if (relay.in.pty) {
		streams_close_pty_peer();
		stdin_discard(&relay.in);
		relay.clients.pty_master = -1;
	}
	close(stream->fd);
	stream->fd = -1;
}

void streams_end(void)
{
	for (int i = 0; i < 2; i++)
		if (relay.stream[i].fd >= 0)
			end_stream(&relay.stream[i]);
}

/*
 * A PTY's master says EIO when its last slave is closed, or when the session's leader has gone. While
 * the container lives somebody may open it again (a getty, /dev/console), so we do.
 */
static bool revive_pty(const struct stream *stream)
{
	if (!relay.in.pty || relay.exited)
		return false;
	open_pty_peer(stream->fd);
	return relay.pty_peer >= 0;
}

/* One read; whether there may be more. */
static bool read_once(struct stream *stream)
{
	size_t size, room = clients_room(&relay.clients);
	uint8_t *space = lines_space(&stream->lines, &size);

	if (size > room)
		size = room;
	if (size == 0)
		return false;
	ssize_t count = read(stream->fd, space, size);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (count <= 0) {
		if (count == 0 || errno != EIO || !revive_pty(stream))
			end_stream(stream);
		return false;
	}
	relay.dirty = true;
	relay.data_ms = relay.now_ms;
	stream->data_ms = relay.now_ms;
	stream->owed -= stream->owed < (uint64_t)count ? stream->owed : (uint64_t)count;
	clients_output(&relay.clients, stream->frame_type, space, (size_t)count);
	if (relay.logging) {
		lines_added(&stream->lines, (size_t)count);
		log_lines(stream, false);
	}
	return (size_t)count == size;
}

void streams_read(struct stream *stream)
{
	for (int reads = 0; reads < READS_A_TURN && stream->fd >= 0; reads++)
		if (!read_once(stream))
			return;
}

bool stream_holds_partial(const struct stream *stream)
{
	return stream->lines.start < stream->lines.end;
}

void streams_log_stale(void)
{
	for (int i = 0; i < 2; i++) {
		struct stream *stream = &relay.stream[i];

		if (stream_holds_partial(stream) && relay.now_ms - stream->data_ms >= PARTIAL_MS)
			log_lines(stream, true);
	}
}

bool streams_open(void)
{
	return relay.stream[0].fd >= 0 || relay.stream[1].fd >= 0;
}
