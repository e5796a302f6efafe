// SPDX-License-Identifier: Apache-2.0
/* netlink.c: see netlink.h. */
#include "netlink.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "syscalls.h"

static void put(char *message, size_t size, struct netlink_field field)
{
	if (field.at >= 0 && (size_t)field.at + sizeof(field.value) <= size)
		memcpy(message + field.at, &field.value, sizeof(field.value));
}

/* Any socket answers for its network namespace; netdevice(7). */
static int interface_index(int fd, const char *name)
{
	struct ifreq request = { 0 };
	size_t size = strlen(name);

	if (size >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, size);
	return ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

/* The acknowledgement is an error message, of error 0 for success. */
static int answer(int fd)
{
	_Alignas(struct nlmsghdr) char reply[NETLINK_MAX_SIZE];

	for (;;) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);
		const struct nlmsghdr *header = (const struct nlmsghdr *)reply;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		if ((size_t)size < sizeof(*header) + sizeof(struct nlmsgerr))
			return -EPROTO;
		if (header->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	}
}

int netlink_request(const void *message, size_t size, const char *name, int64_t index_at,
		    struct netlink_field netns)
{
	_Alignas(struct nlmsghdr) char copy[NETLINK_MAX_SIZE];
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (size > sizeof(copy))
		return -EMSGSIZE;
	memcpy(copy, message, size);
	if (*name) {
		int index = interface_index(fd, name);

		if (index < 0)
			return index;
		put(copy, size, (struct netlink_field){ index_at, (uint32_t)index });
	}
	put(copy, size, netns);
	if (send(fd, copy, size, 0) < 0)
		return -errno;
	return answer(fd);
}
