/* SPDX-License-Identifier: Apache-2.0 */
/* events.h: what the kernel says of a whole cgroup. cgroup-v2.rst, "cgroup.events". */
#ifndef TSRUN_EVENTS_H
#define TSRUN_EVENTS_H

enum answer { NO, YES, UNKNOWN };

/* A descriptor of the cgroup's cgroup.events, or -errno. */
int open_events(const char *cgroup);

/* Of a cgroup that was removed meanwhile every event is 0. Once read, the next change makes it ready to poll. */
enum answer read_event(int fd, const char *event);

#endif
