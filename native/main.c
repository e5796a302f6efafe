// SPDX-License-Identifier: Apache-2.0
/*
 * main.c: tsrun-stage from its first instruction to a checked plan. It is started with the descriptors
 * of plan.h and takes nothing else from its caller: argv is for ps(1), the environment is not read.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "launch.h"
#include "report.h"
#include "signals.h"
#include "syscalls.h"

#ifndef F_SEAL_WRITE
#define F_GET_SEALS 1034
#define F_SEAL_SHRINK 0x2
#define F_SEAL_GROW 0x4
#define F_SEAL_WRITE 0x8
#endif

/* There is no control socket to report on: the caller is not ours. */
#define EXIT_NO_CONTROL 2

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Descriptors 0 to 2 exist, so that none of ours gets their numbers; all others end with an exec. */
static int settle_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (!is_open(fd) && open("/dev/null", O_RDWR) != fd)
			return -EBADF;
	return is_open(FD_CONTROL) ? (int)sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) : -EBADF;
}

/*
 * The plan's bytes, which nobody can change any more, nor shorten (SIGBUS). MAP_PRIVATE: older
 * kernels refuse a shared mapping of a file that is sealed against writing.
 */
static int map_plan(const void **bytes, size_t *size)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(FD_PLAN, F_GET_SEALS);
	struct stat stat;
	void *map;

	if (seals < 0 || fstat(FD_PLAN, &stat) < 0)
		return -errno;
	if ((seals & wanted) != wanted || stat.st_size <= 0)
		return -EINVAL;
	map = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, FD_PLAN, 0);
	if (map == MAP_FAILED)
		return -errno;
	close(FD_PLAN);
	*bytes = map;
	*size = (size_t)stat.st_size;
	return 0;
}

/*
 * The caller's child ends at once, and with it our tie to the caller: the parent is now init or the
 * nearest subreaper. One fork is enough: nothing here opens a terminal without O_NOCTTY.
 */
static int become_daemon(void)
{
	pid_t daemon = fork();

	if (daemon < 0)
		return -errno;
	if (daemon > 0)
		_exit(0);
	sys_prctl(PR_SET_NAME, (unsigned long)"tsrun-monitor", 0, 0);
	if (setsid() < 0 || chdir("/") < 0)
		return -errno;
	report(FD_CONTROL, REPORT_SUPERVISOR, REPORT_NO_OP, 0, getpid());
	return 0;
}

static int take_inherited(const struct plan *plan, struct slots *slots)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		slots->fd[i] = -1;
	for (uint32_t i = 0; i < plan->header->inherited_fds; i++) {
		slots->fd[i] = FD_INHERITED + (int)i;
		if (!is_open(slots->fd[i]))
			return -EBADF;
	}
	if (!(plan->header->flags & PLAN_RELAY_CLIENT))
		close(FD_CLIENT);
	else if (!is_open(FD_CLIENT))
		return -EBADF;
	return 0;
}

/* Before anything is made: what can fail here leaves nothing to undo. */
static int settle(struct context *context, pid_t parent)
{
	uint32_t flags = context->plan->header->flags;
	int error = take_inherited(context->plan, &context->slots);

	if (error == 0 && flags & PLAN_DIE_WITH_PARENT) {
		context->dies_with_peer = true;
		guard_process(context);
		/* The socket may have other holders than the parent. */
		if (getppid() != parent)
			error = -ESRCH;
	}
	if (error == 0 && flags & PLAN_DAEMON)
		error = become_daemon();
	return error;
}

int main(void)
{
	const uint64_t start_ns = monotonic_ns();
	const pid_t parent = getppid();
	/* Modes of files that the plan makes are the plan's. */
	const mode_t mask = umask(0);
	struct plan plan;
	struct context context = { .plan = &plan, .report_fd = FD_CONTROL };
	uint32_t op = REPORT_NO_OP;
	const void *bytes;
	size_t size;
	int error;

	if (settle_descriptors() < 0)
		return EXIT_NO_CONTROL;
	signals_reset();
	guard_process(&context);
	sys_prctl(PR_SET_NAME, (unsigned long)"tsrun-stage", 0, 0);
	error = map_plan(&bytes, &size);
	if (error == 0)
		error = plan_decode(bytes, size, &plan, &op);
	if (error == 0)
		error = settle(&context, parent);
	if (error < 0) {
		report(FD_CONTROL, REPORT_FAILED, op, -error, 0);
		return 1;
	}
	if (plan.header->flags & PLAN_TIMINGS)
		report_at(FD_CONTROL, REPORT_PHASE, MARK_START, 0, 0, start_ns);
	return launch(&context, mask);
}
