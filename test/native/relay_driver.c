// SPDX-License-Identifier: Apache-2.0
/*
 * relay_driver.c: runs a command with the supervisor's loop around it, without the rest of the stage.
 *
 *     relay_driver [--tty] [--stdin] [--stdin-once] [--client] [--log PATH] [--log-max-size N]
 *         [--log-max-files N] [--socket DIR NAME] [--exit PATH] [--journal PATH HEAD]
 *         [--memory-events PATH] [--drain-ms N] [--] COMMAND [ARGUMENT…]
 *
 * --client: descriptor 5 is the first client. Prints "pid PID" of the command once it runs. Exits 0
 * when the relay and the records went well, else 1 with a word on stderr.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../native/stage.h"

static struct plan_header header = { .relay.exit_drain_ms = 200 };
static char blob[65536];
static uint32_t blob_size = 1;

static uint32_t blob_add(const char *text)
{
	uint32_t at = blob_size;
	size_t size = strlen(text) + 1;

	if (blob_size + size > sizeof(blob)) {
		fprintf(stderr, "too many arguments\n");
		exit(1);
	}
	memcpy(blob + at, text, size);
	blob_size += (uint32_t)size;
	return at;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

struct flag { const char *name; uint32_t bit; };
struct string { const char *name; uint32_t *offset, *second; };
struct number { const char *name; uint32_t *narrow; uint64_t *wide; };

/* How many arguments it took, 0 if it is no option. */
static int parse_option(char **argv)
{
	struct plan_relay *relay = &header.relay;
	const struct flag flags[] = {
		{ "--tty", PLAN_TTY }, { "--stdin", PLAN_STDIN },
		{ "--stdin-once", PLAN_STDIN_ONCE }, { "--client", PLAN_RELAY_CLIENT },
	};
	const struct string strings[] = {
		{ "--log", &relay->log_path, NULL },
		{ "--socket", &relay->socket_dir, &relay->socket_name },
		{ "--exit", &relay->exit_path, NULL },
		{ "--journal", &relay->journal_path, &relay->journal_head },
		{ "--memory-events", &relay->memory_events, NULL },
	};
	const struct number numbers[] = {
		{ "--log-max-size", NULL, &relay->log_max_size },
		{ "--log-max-files", &relay->log_max_files, NULL },
		{ "--drain-ms", &relay->exit_drain_ms, NULL },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(argv[0], flags[i].name) == 0) {
			header.flags |= flags[i].bit;
			return 1;
		}
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		if (strcmp(argv[0], strings[i].name) == 0 && argv[1]) {
			*strings[i].offset = blob_add(argv[1]);
			if (!strings[i].second)
				return 2;
			if (!argv[2])
				return 0;
			*strings[i].second = blob_add(argv[2]);
			return 3;
		}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (strcmp(argv[0], numbers[i].name) == 0 && argv[1]) {
			uint64_t value = strtoull(argv[1], NULL, 10);

			if (numbers[i].wide)
				*numbers[i].wide = value;
			else
				*numbers[i].narrow = (uint32_t)value;
			return 2;
		}
	return 0;
}

static pid_t start(char **command, struct stdio *stdio)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int master = -1, slave = -1;
	bool tty = header.flags & PLAN_TTY;

	if (tty ? openpty(&master, &slave, NULL, NULL, NULL) < 0
		: pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		fail("stdio", errno);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		if (tty) {
			close(master);
			ioctl(slave, TIOCSCTTY, 0);
		}
		dup2(tty ? slave : in[0], 0);
		dup2(tty ? slave : out[1], 1);
		dup2(tty ? slave : err[1], 2);
		if (tty && slave > 2)
			close(slave);
		if (header.flags & PLAN_RELAY_CLIENT)
			close(FD_CLIENT);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0)
		fail("fork", errno);
	if (tty) {
		close(slave);
	} else {
		close(in[0]);
		close(out[1]);
		close(err[1]);
	}
	if (!tty && !(header.flags & PLAN_STDIN)) {
		close(in[1]);
		in[1] = -1;
	}
	*stdio = (struct stdio){ master, in[1], out[0], err[0] };
	return pid;
}

int main(int argc, char **argv)
{
	struct plan plan = { .header = &header, .blob = blob };
	struct stdio stdio;
	siginfo_t exit_info;
	int at = 1, result;

	while (at < argc && strcmp(argv[at], "--") != 0) {
		int taken = parse_option(argv + at);

		if (taken == 0)
			break;
		at += taken;
	}
	if (at < argc && strcmp(argv[at], "--") == 0)
		at++;
	if (at >= argc)
		fail("no command", EINVAL);

	/* The descriptors that the stage is started with are never handed out anew. */
	while ((result = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && result < FD_INHERITED)
		;
	close(result);
	result = relay_open(&plan);
	if (result < 0)
		fail("relay_open", result);
	pid_t pid = start(argv + at, &stdio);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		fail("pidfd_open", errno);
	printf("pid %d\n", pid);
	fflush(stdout);
	result = relay_serve(&plan, &stdio, pid, pidfd, &exit_info);
	if (result < 0)
		fail("relay_serve", result);
	result = record_exit(&plan, pid, &exit_info, relay_log_lost());
	if (result < 0)
		fail("record_exit", result);
	result = record_event(&plan, "died", &exit_info);
	if (result < 0)
		fail("record_event", result);
	relay_finish(&exit_info);
	return 0;
}
