// SPDX-License-Identifier: Apache-2.0
/* exec.c: see exec.h. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char **fill(char **at, const struct plan *plan, const uint32_t *offsets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		/* execve(2) takes char *const[] for historical reasons and writes to nothing. */
		*at++ = (char *)(uintptr_t)(plan->blob + offsets[i]);
	*at++ = NULL;
	return at;
}

int exec_prepare(const struct plan *plan, uint32_t offset, struct exec_vectors *vectors)
{
	const struct exec_lists *lists = (const void *)(plan->blob + offset);
	size_t size = ((size_t)lists->argc + lists->envc + lists->candidates + 3) * sizeof(char *);
	char **at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	vectors->size = size;
	vectors->argv = at;
	vectors->envp = fill(vectors->argv, plan, lists->offset, lists->argc);
	vectors->candidates = fill(vectors->envp, plan, lists->offset + lists->argc, lists->envc);
	fill(vectors->candidates, plan, lists->offset + lists->argc + lists->envc, lists->candidates);
	return 0;
}

void exec_release(struct exec_vectors *vectors)
{
	munmap(vectors->argv, vectors->size);
}

/* The old call: a seccomp filter of the container's may not know the newer one. */
static int may_execute(const char *path)
{
	struct stat stat;

	if (faccessat(AT_FDCWD, path, X_OK, 0) < 0 || fstatat(AT_FDCWD, path, &stat, 0) < 0)
		return -errno;
	return S_ISDIR(stat.st_mode) ? -EACCES : 0;
}

int exec_find(const struct exec_vectors *vectors)
{
	int telling = -ENOENT;

	for (char **path = vectors->candidates; *path; path++) {
		int error = may_execute(*path);

		if (error == 0)
			return 0;
		if (error == -EACCES)
			telling = error;
		else if (error != -ENOENT && error != -ENOTDIR)
			return error;
	}
	return telling;
}

int exec_run(const struct exec_vectors *vectors)
{
	int telling = -ENOENT;

	for (char **path = vectors->candidates; *path; path++) {
		execve(*path, vectors->argv, vectors->envp);
		switch (errno) {
		case ENOENT:
		case ENOTDIR:
			break;
		case EACCES:
			/* It exists but may not be executed: more than "not found", if nothing better comes. */
			telling = -EACCES;
			break;
		default:
			return -errno;
		}
	}
	return telling;
}
