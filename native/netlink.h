/* SPDX-License-Identifier: Apache-2.0 */
/* netlink.h: one request to the network, rtnetlink(7). */
#ifndef TSRUN_NETLINK_H
#define TSRUN_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#define NETLINK_MAX_SIZE 4096u

/* A number that is known only here and goes into the message: 32 bits at this offset, or -1. */
struct netlink_field {
	int64_t at;
	uint32_t value;
};

/*
 * Sends the request, which asks for an acknowledgement, and returns it: 0 or -errno. `name`, where it is
 * not empty, is an interface of the caller's network namespace whose index goes to index_at.
 */
int netlink_request(const void *message, size_t size, const char *name, int64_t index_at,
		    struct netlink_field netns);

#endif
