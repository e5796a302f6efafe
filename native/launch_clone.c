// SPDX-License-Identifier: Apache-2.0
/* launch_clone.c: see launch_steps.h. All that the child needs and cannot make itself, then the child. */
#include "launch_steps.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "syscalls.h"

/* A pipe whose one end is the child's descriptor; O_CLOEXEC, and dup2(2) makes the copy that stays. */
static int make_pipe(int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*read_end = ends[0];
	*write_end = ends[1];
	return 0;
}

static int make_stdio(struct launch *launch)
{
	uint32_t flags = launch->plan->header->flags;
	int error;

	if (!(flags & PLAN_RELAY))
		return 0;
	if (flags & PLAN_TTY || !(flags & PLAN_STDIN)) {
		launch->child_stdio[0] = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (launch->child_stdio[0] < 0)
			return -errno;
	} else {
		error = make_pipe(&launch->child_stdio[0], &launch->stdio.stdin_write);
		if (error < 0)
			return error;
	}
	if (flags & PLAN_TTY) {
		/* Until OP_STDIO_PTY: our caller's stdio is not the container's. */
		launch->child_stdio[1] = fcntl(launch->child_stdio[0], F_DUPFD_CLOEXEC, 3);
		launch->child_stdio[2] = fcntl(launch->child_stdio[0], F_DUPFD_CLOEXEC, 3);
		return launch->child_stdio[1] < 0 || launch->child_stdio[2] < 0 ? -errno : 0;
	}
	error = make_pipe(&launch->stdio.stdout_read, &launch->child_stdio[1]);
	return error < 0 ? error : make_pipe(&launch->stdio.stderr_read, &launch->child_stdio[2]);
}

/* Everything that the child needs and cannot make itself. */
static int prepare(struct launch *launch)
{
	const struct plan *plan = launch->plan;
	const struct plan_op *exec = &plan->ops[plan->phase_start[PHASE_CHILD + 1] - 1];
	void *page;
	int error;

	page = mmap(NULL, sizeof(*launch->progress), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	launch->progress = page;
	launch->progress->op = REPORT_NO_OP;
	error = exec_prepare(plan, exec->str[3], &launch->exec);
	return error < 0 ? error : make_stdio(launch);
}

uint32_t launch_proxy_start(const struct plan *plan)
{
	uint32_t op = plan->phase_start[PHASE_HOST];

	while (op < plan->phase_start[PHASE_HOST + 1] && plan->ops[op].kind != OP_PROXY)
		op++;
	return op;
}

static bool by_proxy(const struct plan *plan)
{
	return launch_proxy_start(plan) != plan->phase_start[PHASE_HOST + 1];
}

bool launch_child_waits(const struct plan *plan)
{
	return plan->phase_start[PHASE_PARENT] != plan->phase_start[PHASE_CHILD] ||
	       plan->header->flags & (PLAN_HOLD_MOUNTS | PLAN_RELAY) || by_proxy(plan);
}

/*
 * 0 in the caller, -errno if there is no child; the child does not return. A proxy makes a child of
 * the stage's, which gets the proxy's own exit signal (clone(2), CLONE_PARENT).
 */
static int clone_child(struct launch *launch, mode_t umask)
{
	const struct plan *plan = launch->plan;
	const struct plan_header *header = plan->header;
	const bool proxy = by_proxy(plan);
	struct clone_args args = {
		.flags = header->clone_flags | CLONE_PIDFD | (proxy ? CLONE_PARENT : 0),
		.pidfd = (uintptr_t)&launch->pidfd,
		.exit_signal = proxy ? 0 : SIGCHLD,
	};
	int ends[2];
	long pid;

	if (header->cgroup_slot >= 0) {
		int cgroup = slot_get(&launch->context->slots, (uint64_t)header->cgroup_slot);

		if (cgroup < 0)
			return cgroup;
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	/* Not a stream: each message is one report, and a descriptor belongs to its message. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = sys_clone3(&args);
	if (pid == 0) {
		struct child child = {
			.context = launch->context,
			.progress = launch->progress,
			.exec = launch->exec,
			.umask = umask,
			.result = -1,
			.waits = launch_child_waits(plan),
		};

		close(ends[0]);
		memcpy(child.stdio, launch->child_stdio, sizeof(child.stdio));
		launch->context->report_fd = ends[1];
		child_main(&child);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		launch->pidfd = -1;
		return (int)pid;
	}
	launch->sync = ends[0];
	launch->context->child = (pid_t)pid;
	return 0;
}

static _Noreturn void run_proxy(struct launch *launch, mode_t umask)
{
	const struct plan *plan = launch->plan;
	volatile struct progress *progress = launch->progress;
	struct failure failure = launch_run_ops(launch, launch_proxy_start(plan) + 1,
						plan->phase_start[PHASE_HOST + 1]);

	if (!failure.error)
		failure.error = clone_child(launch, umask);
	progress->proxy.op = failure.op;
	progress->proxy.error = failure.error;
	progress->proxy.child = launch->context->child;
	progress->proxy.pidfd = launch->pidfd;
	progress->proxy.sync = launch->sync;
	progress->proxy.slots = launch->context->slots;
	progress->proxy.done = true;
	for (;;)
		_exit(0);
}

/*
 * A process joins a user namespace for good: one that did would have no more rights over what the
 * stage has to look after. The two share their descriptors, so the child's pidfd comes to the stage;
 * and not their memory, for setns(2) wants a process of its own for a time namespace.
 */
static struct failure clone_by_proxy(struct launch *launch, mode_t umask)
{
	const volatile struct progress *progress = launch->progress;
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	long proxy = sys_clone3(&args);
	int waited;

	if (proxy < 0)
		return failed(launch_proxy_start(launch->plan), (int)proxy);
	if (proxy == 0)
		run_proxy(launch, umask);
	do
		waited = waitid(P_PID, (id_t)proxy, &(siginfo_t){ 0 }, WEXITED);
	while (waited < 0 && errno == EINTR);
	if (!progress->proxy.done)
		return failed(launch_proxy_start(launch->plan), -EOWNERDEAD);
	launch->context->child = progress->proxy.child;
	launch->pidfd = progress->proxy.pidfd;
	launch->sync = progress->proxy.sync;
	launch->context->slots = progress->proxy.slots;
	return failed(progress->proxy.op, progress->proxy.error);
}

struct failure launch_clone(struct launch *launch, mode_t umask)
{
	int error = prepare(launch);

	if (error < 0)
		return failed(REPORT_NO_OP, error);
	if (by_proxy(launch->plan))
		return clone_by_proxy(launch, umask);
	return failed(REPORT_NO_OP, clone_child(launch, umask));
}
