// SPDX-License-Identifier: Apache-2.0
/* pty.c: see pty.h. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "report.h"
#include "syscalls.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441 /* _IO('T', 0x41), asm-generic/ioctls.h */
#endif

static int send_master(int socket, int master, const char *message)
{
	struct report report = { .kind = REPORT_PTY_MASTER, .time_ns = monotonic_ns() };
	struct iovec body = { &report, sizeof(report) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr header = {
		.msg_iov = &body, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control.room),
	};

	if (message) {
		body.iov_base = (void *)(uintptr_t)message; /* sendmsg(2) writes to nothing */
		body.iov_len = strlen(message);
	}
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &master, sizeof(master));
	return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int pty_open(int devpts, const struct winsize *size, int receiver, const char *message)
{
	/* O_NOFOLLOW: some images' /dev/pts/ptmx could be a link, ours is the device of this instance. */
	autoclose int master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	int unlocked = 0, slave, sent;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0 ||
	    ioctl(master, TIOCSWINSZ, size) < 0)
		return -errno;
	/* Not by name: /dev/pts/N is looked up in the container's files, which may lie. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	sent = send_master(receiver, master, message);
	if (sent == 0)
		return slave;
	close(slave);
	return sent;
}

int pty_take_stdio(int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return -errno;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			return -errno;
	return 0;
}

int pty_receive(int socket, struct report *message, int *fd)
{
	struct iovec body = { message, sizeof(*message) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr header = {
		.msg_iov = &body, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control.room),
	};
	ssize_t size;

	*fd = -1;
	do
		size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		return size < 0 && errno != ECONNRESET ? -errno : 0;
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return size == sizeof(*message) ? 1 : -EPROTO;
}
