// SPDX-License-Identifier: Apache-2.0
/* signals.c: see signals.h. */
#include "signals.h"

#include "syscalls.h"

/* Passed on in every mode; from a terminal too, if the stage has one. */
static const int forwarded[] = { SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGHUP, SIGINT };
/* A daemon's caller and its terminal are nothing to it. */
static const int ignored_by_daemon[] = { SIGHUP, SIGINT };

static struct {
	volatile sig_atomic_t interrupted;
	volatile sig_atomic_t pidfd;    /* -1 while nobody is there to get signals */
	volatile sig_atomic_t child;
	sigset_t waiting;               /* empty: signals come through while ppoll waits */
} signals = { .pidfd = -1 };

static void on_signal(int signal, siginfo_t *info, void *context)
{
	int error = errno;

	(void)context;
	if (signals.pidfd < 0) {
		signals.interrupted = 1;
		return;
	}
	/* A key on the terminal signals its whole foreground: a container of the same session has it. */
	if (info->si_code <= 0 || getsid((pid_t)signals.child) != getsid(0))
		sys_pidfd_send_signal(signals.pidfd, signal);
	errno = error;
}

static void set_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(how, &set, NULL);
}

void signals_reset(void)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };

	/* SIGKILL, SIGSTOP and the C library's own refuse: they cannot have been changed either. */
	for (int signal = 1; signal < 65; signal++)
		sigaction(signal, &standard, NULL);
	sigemptyset(&signals.waiting);
	set_mask(SIG_SETMASK);
	/* A peer that has gone is found out by write(2)'s EPIPE. */
	signal(SIGPIPE, SIG_IGN);
}

void signals_handle(bool daemon)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaction(forwarded[i], &action, NULL);
	for (size_t i = 0; daemon && i < sizeof(ignored_by_daemon) / sizeof(ignored_by_daemon[0]); i++)
		sigaction(ignored_by_daemon[i], &ignore, NULL);
}

const sigset_t *signals_waiting_mask(void)
{
	return &signals.waiting;
}

bool signals_interrupted(void)
{
	return signals.interrupted;
}

void signals_forward_to(int pidfd, pid_t child)
{
	signals.child = child;
	signals.pidfd = pidfd;
	set_mask(SIG_UNBLOCK);
}

void signals_stop(void)
{
	/* The pidfd stays ours, but getsid's pid may be another's from now on. */
	set_mask(SIG_BLOCK);
	signals.pidfd = -1;
}

static void on_end(int signal)
{
	for (;;)
		_exit(128 + signal);
}

static bool ends_by_default(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGCONT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGURG:
	case SIGWINCH:
		return false;
	default:
		return true;
	}
}

void signals_end_process(void)
{
	struct sigaction action = { .sa_handler = on_end };

	sigfillset(&action.sa_mask);
	for (int signal = 1; signal < 65; signal++)
		if (ends_by_default(signal))
			sigaction(signal, &action, NULL);
	sigprocmask(SIG_SETMASK, &signals.waiting, NULL);
}

void signals_restore(void)
{
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		signal(forwarded[i], SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &signals.waiting, NULL);
}
