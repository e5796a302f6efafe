// SPDX-License-Identifier: Apache-2.0
/*
 * relay.c: the supervisor's loop. It moves bytes between the container's stdio, the log and the attach
 * clients, counts out-of-memory kills, and notices the exit. The parts are relay_streams.c, lines.c, log.c,
 * attach_socket.c, outbox.c, stdin.c, clients.c and oom.c; here they meet.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "attach_socket.h"
#include "oom.h"
#include "relay_streams.h"

#define RELEASE_MS 2000         /* after such a pause the buffers' pages go back to the kernel */
#define CROWDED_MS 100          /* until accept(2) is tried again for want of descriptors */
#define CLIENT_PATIENCE_MS 1000 /* after the exit: for a client that takes nothing */
#define DRAIN_LIMIT 10          /* times exit_drain_ms: for who outlives the container and goes on writing */

struct relay_buffers relay_buffers;
struct relay relay = { .pty_peer = -1 };

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

static int open_socket(const char *dir, const char *name)
{
	int listener;

	if (!*dir)
		return 0;
	listener = attach_socket_open(dir, name);
	if (listener < 0)
		return listener;
	relay.clients.listener = listener;
	return 0;
}

int relay_open(const struct plan *plan)
{
	const struct plan_relay *wanted = &plan->header->relay;
	const char *log_path = blob_string(plan, wanted->log_path);
	int result;

	relay.plan = plan;
	clients_init(&relay.clients);
	relay.in = (struct stdin_buffer){ .fd = -1, .bytes = relay_buffers.input };
	relay.clients.in = &relay.in;
	relay.clients.outbox.bytes = relay_buffers.outbox;
	if (*log_path) {
		result = log_open(log_path, wanted->log_max_files, wanted->log_max_size,
				  relay_buffers.log_batch);
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

/* When nothing is held anywhere, all pages can go; they come back as zeros. */
static void release_buffers(void)
{
	if (!relay.dirty || relay.now_ms - relay.data_ms < RELEASE_MS)
		return;
	if (stream_holds_partial(&relay.stream[0]) || stream_holds_partial(&relay.stream[1]) ||
	    stdin_pending(&relay.in) || clients_owed(&relay.clients))
		return;
	relay.dirty = false;
	(void)madvise(&relay_buffers, sizeof(relay_buffers), MADV_DONTNEED);
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
	for (int i = 0; i < 2; i++) {
		int waiting = 0;

		if (relay.stream[i].fd >= 0 && ioctl(relay.stream[i].fd, FIONREAD, &waiting) == 0)
			relay.stream[i].owed = (uint64_t)waiting;
	}
	stdin_discard(&relay.in);
	streams_close_pty_peer();
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
	    relay.now_ms - relay.exit_ms >= CLIENT_PATIENCE_MS)
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
		if (stream_holds_partial(&relay.stream[i]))
			sooner(&timeout, relay.stream[i].data_ms + PARTIAL_MS);
	if (relay.dirty)
		sooner(&timeout, relay.data_ms + RELEASE_MS);
	if (relay.clients.crowded)
		sooner(&timeout, relay.now_ms + CROWDED_MS);
	if (relay.exited && streams_open())
		sooner(&timeout, relay.data_ms + relay.plan->header->relay.exit_drain_ms);
	if (relay.exited && clients_owed(&relay.clients))
		sooner(&timeout, relay.exit_ms + CLIENT_PATIENCE_MS);
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
			streams_read(&relay.stream[i]);
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
		streams_log_stale();
		release_buffers();
		lose_patience();
		if (relay.exited && streams_open() && drained(count == 0))
			streams_end();
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
	streams_take(stdio);
	*stdio = (struct stdio){ -1, -1, -1, -1 };
	if (plan->header->flags & PLAN_RELAY_CLIENT) {
		clients_add(&relay.clients, FD_CLIENT);
		relay.clients.client[0].starter = true;
	}

	sigaction(SIGPIPE, &ignore, &before);
	int result = serve(pidfd, exit);
	sigaction(SIGPIPE, &before, NULL);

	streams_end();
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
	attach_socket_close(blob_string(relay.plan, relay.plan->header->relay.socket_name));
	clients_finish(&relay.clients, exit ? exit->si_code : 0, exit ? exit->si_status : 0);
	oom_close();
	log_close();
}
