/* SPDX-License-Identifier: Apache-2.0 */
/* oom.h: how often the kernel killed for memory in the container's cgroup. */
#ifndef TSRUN_OOM_H
#define TSRUN_OOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Begins to count from what memory.events says now. A path that is "" or does not exist (no memory
 * controller) counts nothing: 0. Otherwise 0 or -errno.
 */
int oom_open(const char *path);
/* To be polled with POLLPRI, or -1. cgroup v2 "memory.events": a change is a file modified event. */
int oom_fd(void);
/* Reads the count again; whether it grew. */
bool oom_update(void);
uint64_t oom_kills(void);
void oom_close(void);

/* The number after "oom_kill " in the text of a memory.events file, 0 if it is not there. */
uint64_t oom_parse(const char *text, size_t size);

#endif
