// SPDX-License-Identifier: Apache-2.0
/* listener.c: see listener.h. */
#include "listener.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "pty.h"
#include "report.h"
#include "syscalls.h"
#include "text.h"

/* All of it; the descriptor, if there is one, with the first bytes. */
static int send_all(int socket, const char *bytes, size_t size, int descriptor)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };

	control.header.cmsg_len = CMSG_LEN(sizeof(descriptor));
	memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
	while (size > 0) {
		struct iovec body = { (void *)(uintptr_t)bytes, size };
		struct msghdr message = {
			.msg_iov = &body, .msg_iovlen = 1,
			.msg_control = descriptor < 0 ? NULL : &control,
			.msg_controllen = descriptor < 0 ? 0 : sizeof(control.room),
		};
		ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		descriptor = -1;
		bytes += sent;
		size -= (size_t)sent;
	}
	return 0;
}

int listener_hand_over(int stage, unsigned int op, int listener)
{
	struct report message = {
		.kind = REPORT_LISTENER, .op_index = op, .time_ns = monotonic_ns(),
	};

	return send_all(stage, (const char *)&message, sizeof(message), listener);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int listener_deliver(const char *path, const char *message, size_t size, pid_t pid, int listener)
{
	const char *end = message + size;
	char bytes[24];
	struct text digits = text_in(bytes, sizeof(bytes));
	autoclose int fd = connect_to(path);

	if (fd < 0)
		return fd;
	text_number(&digits, (uint64_t)pid);
	for (const char *piece = message; piece < end;) {
		size_t length = strnlen(piece, (size_t)(end - piece));
		int sent = send_all(fd, piece, length, listener);

		if (sent < 0)
			return sent;
		if (length > 0)
			listener = -1;
		piece += length;
		if (piece == end)
			break;
		sent = send_all(fd, bytes, strlen(bytes), listener);
		if (sent < 0)
			return sent;
		listener = -1;
		piece++;
	}
	return 0;
}
