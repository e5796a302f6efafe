// SPDX-License-Identifier: Apache-2.0
/* init.c: see init.h. */
#include "init.h"

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "syscalls.h"

/* Signals that concern this process itself, or that it has just reacted to. */
static bool is_forwarded(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
	case SIGABRT:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return true;
	}
}

/* Reaps all that have ended; the exit status to leave with, or -1 while the command lives. */
static int reap(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return -1;
}

static _Noreturn void serve(pid_t command, const sigset_t *all)
{
	siginfo_t info;

	/*
	 * Nothing of the launch may stay open here: the pipes' readers and the stage wait for the last
	 * writer. A seccomp filter older than close_range(2) knows close(2).
	 */
	if (sys_close_range(0, ~0u, 0) < 0)
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
	sys_prctl(PR_SET_NAME, (unsigned long)"tsrun-init", 0, 0);
	/* Without a pid namespace orphans would go past us. */
	sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	for (;;) {
		int status = reap(command);

		if (status >= 0)
			sys_exit_group(status);
		int signal = sigwaitinfo(all, &info);
		if (signal > 0 && is_forwarded(signal))
			kill(command, signal);
		/* A filter may forbid it; then we reap without passing signals on, and do not spin. */
		if (signal < 0 && errno != EINTR)
			waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	}
}

/*
 * The command leads a process group of its own, in front of the terminal if there is one: what is
 * typed then signals it once, by the kernel, and not a second time through us.
 */
static void lead_foreground(void)
{
	/* SIGTTOU, which a background process gets for this, is blocked like all others. */
	if (setpgid(0, 0) == 0)
		tcsetpgrp(STDIN_FILENO, getpid());
}

int init_split(void)
{
	sigset_t all, before;
	pid_t command;

	/* From before the fork on, so that no SIGCHLD and no early SIGTERM is missed. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	command = fork();
	if (command < 0) {
		int error = -errno;

		sigprocmask(SIG_SETMASK, &before, NULL);
		return error;
	}
	if (command > 0)
		serve(command, &all);
	lead_foreground();
	sigprocmask(SIG_SETMASK, &before, NULL);
	return 0;
}
