// SPDX-License-Identifier: Apache-2.0
/*
 * relay.c: the supervisor's loop. It moves bytes between the container's stdio, the log and the attach
 * clients, counts out-of-memory kills, and notices the exit. The parts are lines.c, log.c, outbox.c,
 * stdin.c, clients.c and oom.c; here they meet.
 *
 * What is read from the container is in the log and in the outbox before the next read, so nothing is
 * lost and a client that does not read makes the container wait, as a full pipe would.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clients.h"
#include "lines.h"
#include "log.h"
#include "oom.h"
#include "outbox.h"
#include "stage.h"
#include "stdin.h"
#include "text.h"
#include "timestamp.h"

#define READS_A_TURN 4          /* of one stream before the others get theirs */
#define PARTIAL_MS 250          /* a line without its end is logged as it is after such a pause */
#define RELEASE_MS 2000         /* after such a pause the buffers' pages go back to the kernel */
#define CROWDED_MS 100          /* until accept(2) is tried again for want of descriptors */
#define CLIENT_PATIENCE_MS 1000 /* after the exit: for a client that takes nothing */
#define DRAIN_LIMIT 10          /* times exit_drain_ms: for processes that outlive the container and go on writing */
#define BACKLOG 16

/* Whole pages of any page size (64 KiB at most), so that releasing them touches nothing else. */
static struct {
	uint8_t output[2][LINE_MAX_SIZE];
	char log_batch[LOG_BATCH_SIZE];
	uint8_t outbox[OUTBOX_SIZE];
	uint8_t input[STDIN_SIZE];
} __attribute__((aligned(65536))) buffers;

struct stream {
	int fd;                 /* -1 at its end */
	uint8_t frame_type;     /* RELAY_STDOUT, RELAY_STDERR */
	const char *name;       /* in the log */
	struct lines lines;
	int64_t data_ms;        /* when the last data came */
	uint64_t owed;          /* after the exit: bytes that were there at the exit */
	bool ready;             /* in this turn */
};

static struct {
	const struct plan *plan;
	int socket_dir;
	struct clients clients;
	struct stdin_buffer in;
	struct stream stream[2];
	int pty_peer;           /* a slave of our own: without one the master hangs up between two users */
	bool logging;
	bool log_error_told;
	bool dirty;             /* the buffers have been used since they were released */
	bool exited;
	int64_t exit_ms;
	int64_t data_ms;        /* when any data came, or could not be read */
	int64_t taken_ms;       /* when a client last took something */
	int64_t now_ms;
} relay = { .socket_dir = -1, .pty_peer = -1 };

enum { POLL_PIDFD, POLL_LISTENER, POLL_STREAM, POLL_STDIN = POLL_STREAM + 2, POLL_OOM, POLL_CLIENT,
       POLL_COUNT = POLL_CLIENT + CLIENT_COUNT };

static const char *blob_string(const struct plan *plan, uint32_t offset)
{
	return plan->blob + offset;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A socket that a killed supervisor left; anything else of that name is not ours to remove. */
static int unlink_stale_socket(int dir, const char *name)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

/* unix(7): a path has room for 108 bytes, so the directory is named by its descriptor. */
static int listen_at(int dir, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct text path = text_in(address.sun_path, sizeof(address.sun_path));

	text_string(&path, "/proc/self/fd/");
	text_number(&path, (uint64_t)dir);
	text_string(&path, "/");
	text_string(&path, name);
	if (path.cut)
		return -ENAMETOOLONG;
	int result = unlink_stale_socket(dir, name);
	if (result < 0)
		return result;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* bind(2) makes the file with the socket's own mode: it is never open to others. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

static int open_socket(const char *dir, const char *name)
{
	int result;

	if (!*dir)
		return 0;
	relay.socket_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (relay.socket_dir < 0)
		return -errno;
	result = listen_at(relay.socket_dir, name);
	if (result < 0) {
		close(relay.socket_dir);
		relay.socket_dir = -1;
		return result;
	}
	relay.clients.listener = result;
	return 0;
}

static void close_socket(void)
{
	if (relay.socket_dir < 0)
		return;
	unlinkat(relay.socket_dir, blob_string(relay.plan, relay.plan->header->relay.socket_name), 0);
	close(relay.socket_dir);
	relay.socket_dir = -1;
}

int relay_open(const struct plan *plan)
{
	const struct plan_relay *wanted = &plan->header->relay;
	const char *log_path = blob_string(plan, wanted->log_path);
	int result;

	relay.plan = plan;
	clients_init(&relay.clients);
	relay.in = (struct stdin_buffer){ .fd = -1, .bytes = buffers.input };
	relay.clients.in = &relay.in;
	relay.clients.outbox.bytes = buffers.outbox;
	if (*log_path) {
		result = log_open(log_path, wanted->log_max_files, wanted->log_max_size,
				  buffers.log_batch);
		if (result < 0)
			return result;
		relay.logging = true;
	}
	result = oom_open(blob_string(plan, wanted->memory_events));
	if (result == 0)
		result = open_socket(blob_string(plan, wanted->socket_dir),
				     blob_string(plan, wanted->socket_name));
	if (result < 0) {
		oom_close();
		log_close();
		relay.logging = false;
	}
	return result;
}

uint64_t relay_log_lost(void)
{
	return log_lost();
}

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

static void close_pty_peer(void)
{
	if (relay.pty_peer >= 0)
		close(relay.pty_peer);
	relay.pty_peer = -1;
}

static void take_stdio(const struct stdio *stdio)
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
			.lines.bytes = buffers.output[i],
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
		close_pty_peer();
		stdin_discard(&relay.in);
		relay.clients.pty_master = -1;
	}
	close(stream->fd);
	stream->fd = -1;
}

static void end_streams(void)
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

static void read_stream(struct stream *stream)
{
	for (int reads = 0; reads < READS_A_TURN && stream->fd >= 0; reads++)
		if (!read_once(stream))
			return;
}

static bool holds_partial(const struct stream *stream)
{
	return stream->lines.start < stream->lines.end;
}

static void log_stale_partials(void)
{
	for (int i = 0; i < 2; i++) {
		struct stream *stream = &relay.stream[i];

		if (holds_partial(stream) && relay.now_ms - stream->data_ms >= PARTIAL_MS)
			log_lines(stream, true);
	}
}

static bool streams_open(void)
{
	return relay.stream[0].fd >= 0 || relay.stream[1].fd >= 0;
}

/* When nothing is held anywhere, all pages can go; they come back as zeros. */
static void release_buffers(void)
{
	if (!relay.dirty || relay.now_ms - relay.data_ms < RELEASE_MS)
		return;
	if (holds_partial(&relay.stream[0]) || holds_partial(&relay.stream[1]) ||
	    stdin_pending(&relay.in) || clients_owed(&relay.clients))
		return;
	relay.dirty = false;
	(void)madvise(&buffers, sizeof(buffers), MADV_DONTNEED);
}

static void note_exit(int pidfd, siginfo_t *exit, int *error)
{
	int result;

	do
		result = waitid(P_PIDFD, (id_t)pidfd, exit, WEXITED);
	while (result < 0 && errno == EINTR);
	*error = result < 0 ? -errno : 0;
	relay.exited = true;
	relay.exit_ms = relay.now_ms;
	relay.data_ms = relay.now_ms;
	relay.taken_ms = relay.now_ms;
	for (int i = 0; i < 2; i++) {
		int waiting = 0;

		if (relay.stream[i].fd >= 0 && ioctl(relay.stream[i].fd, FIONREAD, &waiting) == 0)
			relay.stream[i].owed = (uint64_t)waiting;
	}
	stdin_discard(&relay.in);
	close_pty_peer();
	clients_widen(&relay.clients);
}

/* After the exit: nothing comes any more, or only from processes that outlived the container. */
static bool drained(bool quiet)
{
	int64_t limit = relay.plan->header->relay.exit_drain_ms;

	if (quiet && relay.now_ms - relay.data_ms >= limit)
		return true;
	return relay.now_ms - relay.exit_ms >= DRAIN_LIMIT * limit && relay.stream[0].owed == 0 &&
	       relay.stream[1].owed == 0;
}

/* A client that does not read has had its time: the exit record does not wait for it any longer. */
static void lose_patience(void)
{
	if (relay.exited && clients_owed(&relay.clients) &&
	    relay.now_ms - relay.taken_ms >= CLIENT_PATIENCE_MS)
		clients_drop_owed(&relay.clients);
}

static void sooner(int64_t *timeout, int64_t due_ms)
{
	int64_t left = due_ms - relay.now_ms;

	if (left < 0)
		left = 0;
	if (*timeout < 0 || left < *timeout)
		*timeout = left;
}

static int next_timeout(void)
{
	int64_t timeout = -1;

	for (int i = 0; i < 2; i++)
		if (holds_partial(&relay.stream[i]))
			sooner(&timeout, relay.stream[i].data_ms + PARTIAL_MS);
	if (relay.dirty)
		sooner(&timeout, relay.data_ms + RELEASE_MS);
	if (relay.clients.crowded)
		sooner(&timeout, relay.now_ms + CROWDED_MS);
	if (relay.exited && streams_open())
		sooner(&timeout, relay.data_ms + relay.plan->header->relay.exit_drain_ms);
	if (relay.exited && clients_owed(&relay.clients))
		sooner(&timeout, relay.taken_ms + CLIENT_PATIENCE_MS);
	return (int)timeout;
}

static void fill_poll(struct pollfd *poll, int pidfd)
{
	bool room = clients_room(&relay.clients) > 0;

	poll[POLL_PIDFD] = (struct pollfd){ relay.exited ? -1 : pidfd, POLLIN, 0 };
	poll[POLL_LISTENER] = (struct pollfd){
		relay.clients.crowded ? -1 : relay.clients.listener, POLLIN, 0 };
	for (int i = 0; i < 2; i++)
		poll[POLL_STREAM + i] = (struct pollfd){ room ? relay.stream[i].fd : -1, POLLIN, 0 };
	poll[POLL_STDIN] = (struct pollfd){ stdin_pending(&relay.in) ? relay.in.fd : -1, POLLOUT, 0 };
	poll[POLL_OOM] = (struct pollfd){ oom_fd(), POLLPRI, 0 };
	clients_poll(&relay.clients, poll + POLL_CLIENT);
}

static void check_oom(void)
{
	if (oom_update())
		(void)record_event(relay.plan, "oom", NULL);
}

/* A stream that was not asked, because there was no room for its data, was not quiet. */
static void note_unasked(const struct pollfd *poll)
{
	for (int i = 0; i < 2; i++)
		if (relay.stream[i].fd >= 0 && poll[POLL_STREAM + i].fd < 0)
			relay.data_ms = relay.stream[i].data_ms = relay.now_ms;
}

static void turn(struct pollfd *poll, int pidfd, siginfo_t *exit, int *error)
{
	note_unasked(poll);
	if (poll[POLL_LISTENER].revents)
		clients_accept(&relay.clients);
	clients_polled(&relay.clients, poll + POLL_CLIENT);
	if (stdin_pending(&relay.in)) {
		relay.dirty = true;
		stdin_flush(&relay.in);
	}
	for (int i = 0; i < 2; i++)
		if (poll[POLL_STREAM + i].revents && relay.stream[i].fd >= 0)
			read_stream(&relay.stream[i]);
	if (poll[POLL_OOM].revents)
		check_oom();
	if (poll[POLL_PIDFD].revents)
		note_exit(pidfd, exit, error);
}

static int serve(int pidfd, siginfo_t *exit)
{
	struct pollfd poll_for[POLL_COUNT];
	int error = 0;

	relay.now_ms = monotonic_ms();
	relay.data_ms = relay.now_ms;
	for (;;) {
		fill_poll(poll_for, pidfd);
		int timeout = next_timeout();
		relay.clients.crowded = false;
		int count = poll(poll_for, POLL_COUNT, timeout);
		relay.now_ms = monotonic_ms();
		if (count < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		turn(poll_for, pidfd, exit, &error);
		log_stale_partials();
		release_buffers();
		lose_patience();
		if (relay.exited && streams_open() && drained(count == 0))
			end_streams();
		if (relay.exited && !streams_open() && !clients_owed(&relay.clients))
			return error;
	}
}

int relay_serve(const struct plan *plan, struct stdio *stdio, pid_t child, int pidfd, siginfo_t *exit)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;

	(void)child;
	relay.plan = plan;
	relay.exited = false;
	take_stdio(stdio);
	*stdio = (struct stdio){ -1, -1, -1, -1 };
	if (plan->header->flags & PLAN_RELAY_CLIENT) {
		clients_add(&relay.clients, FD_CLIENT);
		relay.clients.client[0].starter = true;
	}

	sigaction(SIGPIPE, &ignore, &before);
	int result = serve(pidfd, exit);
	sigaction(SIGPIPE, &before, NULL);

	end_streams();
	check_oom();
	oom_close();
	log_close();
	relay.logging = false;
	return result;
}

bool relay_starter_told(void)
{
	return relay.clients.starter_told;
}

void relay_finish(const siginfo_t *exit)
{
	close_socket();
	clients_finish(&relay.clients, exit ? exit->si_code : 0, exit ? exit->si_status : 0);
	oom_close();
	log_close();
}
