// SPDX-License-Identifier: Apache-2.0
/*
 * launch.c: see launch.h. The steps in their order, and the launch's end, whichever it is. The child's
 * side of it is child.c.
 */
#include "launch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "launch_steps.h"
#include "report.h"
#include "signals.h"
#include "syscalls.h"

/*
 * The namespace is there from clone3 on, so what the child still mounts is in it. Holding it takes the
 * unmounting (an overlay's syncs its whole file system) out of the last process's exit.
 */
static int hold_mounts(struct launch *launch)
{
	if (!(launch->plan->header->flags & PLAN_HOLD_MOUNTS))
		return 0;
	launch->mounts = open_child_proc(launch->context, "ns/mnt", O_RDONLY);
	return launch->mounts < 0 ? launch->mounts : 0;
}

/*
 * Only now: the host ops have made the cgroup whose kills it counts, and the parent ops have left
 * whatever mount namespace the host ops went to, which its files must not keep alive.
 */
static int open_relay(struct launch *launch)
{
	int error;

	if (!(launch->plan->header->flags & PLAN_RELAY))
		return 0;
	error = relay_open(launch->plan);
	launch->relaying = error == 0;
	return error;
}

/* What the stage has no more use for, and what it would keep alive: mounts, pipes, the caller's files. */
static void let_go(struct launch *launch)
{
	for (int i = 0; i < 3; i++)
		launch_close_fd(&launch->child_stdio[i]);
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++)
		if (!plan_uses_slot(launch->plan, PHASE_TEARDOWN, slot))
			launch_close_fd(&launch->context->slots.fd[slot]);
	if (launch->plan->header->flags & PLAN_DAEMON || launch->relaying) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

		for (int fd = 0; null >= 0 && fd <= 2; fd++)
			dup2(null, fd);
		launch_close_fd(&null);
	}
}

static void wait_child(const struct launch *launch, siginfo_t *exit)
{
	int waited;

	do
		waited = waitid(P_PIDFD, (id_t)launch->pidfd, exit, WEXITED);
	while (waited < 0 && errno == EINTR);
}

/* Whoever else was re-parented to us; by default nobody. */
static void reap_others(void)
{
	siginfo_t other = { 0 };

	while (waitid(P_ALL, 0, &other, WEXITED | WNOHANG) == 0 && other.si_pid != 0)
		other.si_pid = 0;
}

/* As if it had never been: the child, what the ops made, and only then the report. */
static int undo(struct launch *launch, struct failure failure)
{
	siginfo_t exit = { 0 };

	if (launch->pidfd >= 0) {
		sys_pidfd_send_signal(launch->pidfd, SIGKILL);
		wait_child(launch, &exit);
	}
	if (launch->relaying)
		relay_finish(NULL);
	launch_close_fd(&launch->mounts);
	launch_tear_down(launch);
	report(FD_CONTROL, REPORT_FAILED, failure.op, -failure.error, 0);
	return 1;
}

static struct failure start(struct launch *launch, mode_t umask)
{
	const struct plan *plan = launch->plan;
	struct failure failure = launch_run_ops(launch, plan->phase_start[PHASE_HOST], launch_proxy_start(plan));
	int error;

	if (failure.error)
		return failure;
	launch_mark(launch, MARK_HOST);
	failure = launch_clone(launch, umask);
	if (failure.error)
		return failure;
	launch_mark(launch, MARK_CLONED);
	signals_handle(launch->plan->header->flags & PLAN_DAEMON);
	error = hold_mounts(launch);
	if (error < 0)
		return failed(REPORT_NO_OP, error);
	failure = launch_run_phase(launch, PHASE_PARENT);
	if (failure.error)
		return failure;
	error = open_relay(launch);
	if (error < 0)
		return failed(REPORT_NO_OP, error);
	if (launch_child_waits(launch->plan))
		launch_let_child_go(launch);
	let_go(launch);
	return launch_follow(launch);
}

static void wait_for_exit(struct launch *launch, siginfo_t *exit)
{
	pid_t child = launch->context->child;

	if (launch->relaying) {
		int error = relay_serve(launch->plan, &launch->stdio, child, launch->pidfd, exit);

		if (error < 0)
			report(FD_CONTROL, REPORT_WARNED, REPORT_NO_OP, -error, 0);
	}
	if (exit->si_pid == 0)
		wait_child(launch, exit);
}

/* Where to look for the exit must not be told before it is there. */
static void record(const struct launch *launch, const siginfo_t *exit)
{
	uint64_t lost = launch->relaying ? relay_log_lost() : 0;
	int error = record_exit(launch->plan, launch->context->child, exit, lost);

	if (error == 0)
		error = record_event(launch->plan, "died", exit);
	else
		(void)record_event(launch->plan, "died", exit);
	if (error < 0)
		report(FD_CONTROL, REPORT_WARNED, REPORT_NO_OP, -error, 0);
}

/*
 * In a process of its own, which nobody waits for: whoever waits for the supervisor's end may hold the
 * lock that the command needs.
 */
static void run_exit_command(const struct launch *launch)
{
	uint32_t lists = launch->plan->header->relay.exit_command;
	struct exec_vectors vectors;
	pid_t pid;
	int error;

	if (!lists || relay_starter_told())
		return;
	pid = fork();
	if (pid > 0)
		return;
	error = pid < 0 ? -errno : exec_prepare(launch->plan, lists, &vectors);
	if (pid == 0 && error == 0) {
		signals_restore();
		error = exec_run(&vectors);
	}
	report(FD_CONTROL, REPORT_WARNED, REPORT_NO_OP, -error, 0);
	if (pid == 0)
		_exit(127);
}

static void finish(struct launch *launch)
{
	siginfo_t exit = { 0 };

	wait_for_exit(launch, &exit);
	signals_stop();
	launch_mark(launch, MARK_EXIT);
	record(launch, &exit);
	launch_tear_down(launch);
	if (launch->relaying)
		relay_finish(&exit);
	report(FD_CONTROL, REPORT_EXITED, REPORT_NO_OP, exit.si_code, exit.si_status);
	launch_close_fd(&launch->mounts);
	reap_others();
}

int launch(struct context *context, mode_t umask)
{
	struct launch launch = {
		.context = context,
		.plan = context->plan,
		.stdio = { -1, -1, -1, -1 },
		.child_stdio = { -1, -1, -1 },
		.sync = -1, .pidfd = -1, .mounts = -1, .blamed = REPORT_NO_OP,
		.self = getpid(),
	};
	struct failure failure = start(&launch, umask);

	if (failure.error)
		return undo(&launch, failure);
	if (launch.left)
		return 0;
	launch_close_fd(&launch.sync);
	exec_release(&launch.exec);
	munmap((void *)(uintptr_t)launch.progress, sizeof(*launch.progress));
	launch_mark(&launch, MARK_EXEC);
	report(FD_CONTROL, REPORT_RUNNING, REPORT_NO_OP, 0, context->child);
	if (launch.plan->header->flags & PLAN_LEAVE)
		return 0;
	signals_forward_to(launch.pidfd, context->child);
	finish(&launch);
	run_exit_command(&launch);
	return 0;
}
