/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: the container's log file in the format of Kubernetes' CRI, rotated by size.
 *
 * Records are gathered in a batch and written together. The file holds whole records only: what a
 * failing disk tears off is cut away again and counted as lost.
 */
#ifndef TSRUN_LOG_H
#define TSRUN_LOG_H

#include <stdint.h>

#include "lines.h"
#include "timestamp.h"

#define LOG_BATCH_SIZE 16384u

/*
 * Opens path for appending, mode 0600. The last component may be no symlink and must be a regular
 * file (-EINVAL). batch is LOG_BATCH_SIZE bytes. 0 or -errno.
 */
int log_open(const char *path, uint32_t max_files, uint64_t max_size, char *batch);
/* Adds a record: "TIME stdout|stderr F|P TEXT\n". Writes the batch first if it has no room. */
void log_add(const char *stream, const struct line *line, const char time[TIMESTAMP_SIZE]);
/* Writes the batch. */
void log_flush(void);
void log_close(void);

/* Records that could not be written since log_open. */
uint64_t log_lost(void);
/* The errno of the first write that failed since the last call, or 0. */
int log_take_error(void);

#endif
