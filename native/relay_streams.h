/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_streams.h: the supervisor's state, and its part that reads the container's stdio. The loop is relay.c.
 */
#ifndef TSRUN_RELAY_STREAMS_H
#define TSRUN_RELAY_STREAMS_H

#include "clients.h"
#include "lines.h"
#include "log.h"
#include "outbox.h"
#include "stage.h"
#include "stdin.h"

#define PARTIAL_MS 250          /* a line without its end is logged as it is after such a pause */

/* Whole pages of any page size (64 KiB at most), so that releasing them touches nothing else. */
struct relay_buffers {
	uint8_t output[2][LINE_MAX_SIZE];
	char log_batch[LOG_BATCH_SIZE];
	uint8_t outbox[OUTBOX_SIZE];
	uint8_t input[STDIN_SIZE];
} __attribute__((aligned(65536)));

struct stream {
	int fd;                 /* -1 at its end */
	uint8_t frame_type;     /* RELAY_STDOUT, RELAY_STDERR */
	const char *name;       /* in the log */
	struct lines lines;
	int64_t data_ms;        /* when the last data came */
	uint64_t owed;          /* after the exit: bytes that were there at the exit */
};

struct relay {
	const struct plan *plan;
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
	int64_t now_ms;
};

extern struct relay_buffers relay_buffers;
extern struct relay relay;

/* The stage's ends of the stdio become the relay's. */
void streams_take(const struct stdio *stdio);

/* What is there to read goes to the log and the clients: some reads, so that others get their turn. */
void streams_read(struct stream *stream);

/* Whether a line has begun that has not ended. */
bool stream_holds_partial(const struct stream *stream);
/* Logs such lines after PARTIAL_MS. */
void streams_log_stale(void);

bool streams_open(void);
/* Closes those that are open; what a line had begun is logged. */
void streams_end(void);
/* Lets the master hang up when the container's last slave is closed. */
void streams_close_pty_peer(void);

#endif
