// SPDX-License-Identifier: Apache-2.0
/* op_namespaces.c: namespaces, joined and left; the names and network interfaces in new ones. */
#include "op_kinds.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "netlink.h"
#include "syscalls.h"

static int setns_slot(const struct context *context, const struct plan_op *op)
{
	int fd = slot_get(&context->slots, op->num[0]);

	return fd < 0 ? fd : (int)sys_setns(fd, (int)op->num[1]);
}

static int link_up(const char *name)
{
	struct ifreq request = { 0 };

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, strlen(name));
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int netlink_op(const struct context *context, const struct plan_op *op)
{
	struct netlink_field netns = { (int64_t)op->num[1], (uint32_t)context->child };

	if ((int64_t)op->num[2] != -1) {
		int fd = slot_get(&context->slots, op->num[2]);

		if (fd < 0)
			return fd;
		netns.value = (uint32_t)fd;
	}
	return netlink_request(op_data(context, op), op->data_size, op_string(context, op, 0),
			       (int64_t)op->num[0], netns);
}

int apply_namespace_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_SETNS:
		return setns_slot(context, op);
	case OP_UNSHARE:
		return (int)sys_unshare(op->num[0]);
	case OP_SETHOSTNAME:
		return (int)result(syscall(SYS_sethostname, op_string(context, op, 0),
					   strlen(op_string(context, op, 0))));
	case OP_SETDOMAINNAME:
		return (int)result(syscall(SYS_setdomainname, op_string(context, op, 0),
					   strlen(op_string(context, op, 0))));
	case OP_LINK_UP:
		return link_up(op_string(context, op, 0));
	case OP_NETLINK:
		return netlink_op(context, op);
	default:
		return -ENOSYS;
	}
}
