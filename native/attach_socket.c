// SPDX-License-Identifier: Apache-2.0
/* attach_socket.c: see attach_socket.h. */
#include "attach_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

#define BACKLOG 16

/* Kept open: at the end the name is removed from this very directory. */
static int socket_dir = -1;

/* A socket that a killed supervisor left; anything else of that name is not ours to remove. */
static int unlink_stale_socket(int dir, const char *name)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

/* unix(7): a path has room for 108 bytes, so the directory is named by its descriptor. */
static int listen_at(int dir, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct text path = text_in(address.sun_path, sizeof(address.sun_path));

	text_string(&path, "/proc/self/fd/");
	text_number(&path, (uint64_t)dir);
	text_string(&path, "/");
	text_string(&path, name);
	if (path.cut)
		return -ENAMETOOLONG;
	int result = unlink_stale_socket(dir, name);
	if (result < 0)
		return result;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* bind(2) makes the file with the socket's own mode: it is never open to others. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

int attach_socket_open(const char *dir, const char *name)
{
	int listener;

	socket_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (socket_dir < 0)
		return -errno;
	listener = listen_at(socket_dir, name);
	if (listener < 0) {
		close(socket_dir);
		socket_dir = -1;
	}
	return listener;
}

void attach_socket_close(const char *name)
{
	if (socket_dir < 0)
		return;
	unlinkat(socket_dir, name, 0);
	close(socket_dir);
	socket_dir = -1;
}
