/* SPDX-License-Identifier: Apache-2.0 */
/* paths.h: paths inside a root that its owner may have filled with traps. */
#ifndef TSRUN_PATHS_H
#define TSRUN_PATHS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * openat2(2), again when a rename or mount anywhere made the kernel unsure of a "..": EAGAIN. A
 * descriptor, or -errno.
 */
int openat2_retrying(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/*
 * Makes every missing directory of path below the directory root, as a process with that root would
 * see it: absolute links and ".." end at root. A link that points nowhere is completed at its target.
 * With S_IFREG in mode the last component is to be a file, an empty one if there is none. 0 or -errno.
 */
int mkdir_below(int root, const char *path, mode_t mode);

/*
 * The directory that holds path's last component, resolved below dir, and that component in *name.
 * A descriptor to be closed, or -errno. dir AT_FDCWD takes path as it is.
 */
int open_parent(int dir, const char *path, const char **name);

/* rmdir(2), again and again for as long as it says EBUSY, up to so many milliseconds. */
int rmdir_retrying(const char *path, unsigned int milliseconds);

#endif
