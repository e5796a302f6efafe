// SPDX-License-Identifier: Apache-2.0
/* launch.c: see launch.h. The child's side of it is child.c. */
#include "launch.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "child.h"
#include "listener.h"
#include "pty.h"
#include "report.h"
#include "signals.h"
#include "syscalls.h"

/* A launch under way. Descriptors are -1 and the child 0 until there is one. */
struct launch {
	struct context *context;
	const struct plan *plan;
	volatile struct progress *progress;
	struct exec_vectors exec;
	struct stdio stdio;
	int child_stdio[3];
	int sync;                       /* the stage's end of the socket to the child */
	int pidfd;
	pid_t self;                     /* the stage's pid */
	int mounts;                     /* the child's mount namespace, PLAN_HOLD_MOUNTS */
	bool relaying;
	bool held;                      /* at OP_HOLD */
	bool left;                      /* at OP_AWAIT_START: the child needs us no more */
	uint32_t blamed;                /* the child's op that we failed to finish, or REPORT_NO_OP */
};

/* What ended a launch. */
struct failure {
	uint32_t op;
	int error;                      /* -errno, 0 for none */
};

static const struct failure success = { REPORT_NO_OP, 0 };

static struct failure failed(uint32_t op, int error)
{
	return (struct failure){ op, error };
}

static void mark(const struct launch *launch, enum report_phase point)
{
	if (launch->plan->header->flags & PLAN_TIMINGS)
		report(FD_CONTROL, REPORT_PHASE, point, 0, 0);
}

/* For the tests of "nothing is lost": the kill -9 that a user may send at any instruction. */
static void inject_fault(const struct launch *launch)
{
	uint32_t pid = launch->plan->header->fault_pid;

	kill(pid ? (pid_t)pid : launch->self, SIGKILL);
}

static struct failure run_ops(struct launch *launch, uint32_t from, uint32_t to)
{
	const struct plan *plan = launch->plan;

	for (uint32_t i = from; i < to; i++) {
		const struct plan_op *op = &plan->ops[i];
		int done;

		if (plan->header->fault_op == i)
			inject_fault(launch);
		done = op_apply(launch->context, op);
		if (done >= 0) {
			i += op->skip_ok;
			continue;
		}
		if (!op_tolerates(op, done))
			return failed(i, done);
		if (op->flags & OP_FLAG_WARN)
			report(FD_CONTROL, REPORT_WARNED, i, -done, 0);
		i += op->skip_failed;
	}
	return success;
}

static struct failure run_phase(struct launch *launch, enum plan_phase phase)
{
	return run_ops(launch, launch->plan->phase_start[phase], launch->plan->phase_start[phase + 1]);
}

/*
 * All of it, whatever fails: after a launch that went wrong half of what it undoes does not exist. A
 * failure that does not say so is told, for something stays behind.
 */
static void tear_down(struct launch *launch)
{
	const struct plan *plan = launch->plan;

	for (uint32_t i = plan->phase_start[PHASE_TEARDOWN]; i < plan->phase_start[PHASE_COUNT]; i++) {
		const struct plan_op *op = &plan->ops[i];
		int done;

		if (plan->header->fault_op == i)
			inject_fault(launch);
		done = op_apply(launch->context, op);
		if (done >= 0) {
			i += op->skip_ok;
			continue;
		}
		if (op_tolerates(op, done) ? op->flags & OP_FLAG_WARN : done != -ENOENT)
			report(FD_CONTROL, REPORT_WARNED, i, -done, 0);
		i += op->skip_failed;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

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

/* The host op at which a proxy takes over, or the end of the host ops. */
static uint32_t proxy_start(const struct plan *plan)
{
	uint32_t op = plan->phase_start[PHASE_HOST];

	while (op < plan->phase_start[PHASE_HOST + 1] && plan->ops[op].kind != OP_PROXY)
		op++;
	return op;
}

static bool by_proxy(const struct plan *plan)
{
	return proxy_start(plan) != plan->phase_start[PHASE_HOST + 1];
}

/* Whether the stage has something to do to the child before it begins (or is gone again). */
static bool child_waits(const struct plan *plan)
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
			.waits = child_waits(plan),
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
	struct failure failure = run_ops(launch, proxy_start(plan) + 1, plan->phase_start[PHASE_HOST + 1]);

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
		return failed(proxy_start(launch->plan), (int)proxy);
	if (proxy == 0)
		run_proxy(launch, umask);
	do
		waited = waitid(P_PID, (id_t)proxy, &(siginfo_t){ 0 }, WEXITED);
	while (waited < 0 && errno == EINTR);
	if (!progress->proxy.done)
		return failed(proxy_start(launch->plan), -EOWNERDEAD);
	launch->context->child = progress->proxy.child;
	launch->pidfd = progress->proxy.pidfd;
	launch->sync = progress->proxy.sync;
	launch->context->slots = progress->proxy.slots;
	return failed(progress->proxy.op, progress->proxy.error);
}

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
		close_fd(&launch->child_stdio[i]);
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++)
		if (!plan_uses_slot(launch->plan, PHASE_TEARDOWN, slot))
			close_fd(&launch->context->slots.fd[slot]);
	if (launch->plan->header->flags & PLAN_DAEMON || launch->relaying) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

		for (int fd = 0; null >= 0 && fd <= 2; fd++)
			dup2(null, fd);
		close_fd(&null);
	}
}

static void let_child_go(const struct launch *launch)
{
	/* A dead child is found out by its end of file. */
	(void)!send(launch->sync, "G", 1, MSG_NOSIGNAL);
}

static int deliver_listener(struct launch *launch, uint32_t index, int listener)
{
	const struct plan *plan = launch->plan;
	const struct plan_op *op = &plan->ops[index];

	int error = listener_deliver(plan->blob + op->str[0], plan->blob + op->str[3], op->data_size,
				     launch->context->child, listener);

	if (error < 0)
		launch->blamed = index;
	return error;
}

/* One message of the child's; -errno for what breaks the rules between the two. */
static int take_message(struct launch *launch, const struct report *message, int fd)
{
	if (message->kind == REPORT_PTY_MASTER && fd >= 0 && launch->stdio.pty_master < 0) {
		launch->stdio.pty_master = fd;
		return 0;
	}
	if (message->kind == REPORT_LISTENER && fd >= 0 && message->op_index < launch->plan->header->op_count) {
		int done = deliver_listener(launch, message->op_index, fd);

		close_fd(&fd);
		return done;
	}
	close_fd(&fd);
	switch (message->kind) {
	case REPORT_WARNED:
		report(FD_CONTROL, REPORT_WARNED, message->op_index, message->error, 0);
		return 0;
	case REPORT_PHASE:
		/* With our clock: the child's may be another, in a time namespace. */
		mark(launch, message->op_index);
		return 0;
	case REPORT_FAULT:
		inject_fault(launch);
		let_child_go(launch);
		return 0;
	case REPORT_CREATED:
		launch->held = true;
		report(FD_CONTROL, REPORT_CREATED, REPORT_NO_OP, 0, launch->context->child);
		return 0;
	case REPORT_WAITING:
		launch->left = true;
		report(FD_CONTROL, REPORT_WAITING, REPORT_NO_OP, 0, launch->context->child);
		return 0;
	default:
		return -EPROTO;
	}
}

/* CONTROL_GO lets the child go on. The end of file before it, or anything else, ends the launch. */
static int take_command(struct launch *launch)
{
	char command;
	ssize_t size = recv(FD_CONTROL, &command, 1, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (size == 0)
		return -ECANCELED;
	if (command != CONTROL_GO)
		return -EPROTO;
	launch->held = false;
	let_child_go(launch);
	return 0;
}

/* 1 when the child has closed its end (by exec or by death), 0 to go on, or -errno. */
static int take_turn(struct launch *launch)
{
	struct pollfd fds[2] = {
		{ .fd = launch->sync, .events = POLLIN },
		{ .fd = launch->held ? FD_CONTROL : -1, .events = POLLIN },
	};
	struct report message;
	int received, fd;

	if (ppoll(fds, 2, NULL, signals_waiting_mask()) < 0) {
		if (errno != EINTR)
			return -errno;
		return signals_interrupted() ? -EINTR : 0;
	}
	if (fds[0].revents) {
		received = pty_receive(launch->sync, &message, &fd);
		if (received <= 0)
			return received < 0 ? received : 1;
		return take_message(launch, &message, fd);
	}
	return fds[1].revents ? take_command(launch) : 0;
}

/*
 * Until the child has executed its program. The end of file alone does not say so: a child that was
 * killed closes its end too. The page that it shares with us tells how far it had come.
 */
static struct failure follow_child(struct launch *launch)
{
	int turn;

	do
		turn = take_turn(launch);
	while (turn == 0 && !launch->left);
	if (turn < 0)
		return failed(launch->blamed, turn);
	if (launch->left)
		return success;
	switch (launch->progress->state) {
	case PROGRESS_EXEC:
		return success;
	case PROGRESS_FAILED:
		return failed(launch->progress->op, launch->progress->error);
	default:
		/* Killed at this op, by somebody or by the kernel. */
		return failed(launch->progress->op, -EOWNERDEAD);
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
	close_fd(&launch->mounts);
	tear_down(launch);
	report(FD_CONTROL, REPORT_FAILED, failure.op, -failure.error, 0);
	return 1;
}

static struct failure start(struct launch *launch, mode_t umask)
{
	const struct plan *plan = launch->plan;
	struct failure failure = run_ops(launch, plan->phase_start[PHASE_HOST], proxy_start(plan));
	int error;

	if (failure.error)
		return failure;
	mark(launch, MARK_HOST);
	error = prepare(launch);
	if (error < 0)
		return failed(REPORT_NO_OP, error);
	if (by_proxy(plan))
		failure = clone_by_proxy(launch, umask);
	else
		failure.error = clone_child(launch, umask);
	if (failure.error)
		return failure;
	mark(launch, MARK_CLONED);
	signals_handle(launch->plan->header->flags & PLAN_DAEMON);
	error = hold_mounts(launch);
	if (error < 0)
		return failed(REPORT_NO_OP, error);
	failure = run_phase(launch, PHASE_PARENT);
	if (failure.error)
		return failure;
	error = open_relay(launch);
	if (error < 0)
		return failed(REPORT_NO_OP, error);
	if (child_waits(launch->plan))
		let_child_go(launch);
	let_go(launch);
	return follow_child(launch);
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
	mark(launch, MARK_EXIT);
	record(launch, &exit);
	tear_down(launch);
	if (launch->relaying)
		relay_finish(&exit);
	report(FD_CONTROL, REPORT_EXITED, REPORT_NO_OP, exit.si_code, exit.si_status);
	close_fd(&launch->mounts);
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
	close_fd(&launch.sync);
	exec_release(&launch.exec);
	munmap((void *)(uintptr_t)launch.progress, sizeof(*launch.progress));
	mark(&launch, MARK_EXEC);
	report(FD_CONTROL, REPORT_RUNNING, REPORT_NO_OP, 0, context->child);
	if (launch.plan->header->flags & PLAN_LEAVE)
		return 0;
	signals_forward_to(launch.pidfd, context->child);
	finish(&launch);
	run_exit_command(&launch);
	return 0;
}
