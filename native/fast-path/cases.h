/* SPDX-License-Identifier: Apache-2.0 */
/* cases.h: what was foreseen for a container's calls. The words' meaning: src/oci/fast-path.ts. */
#ifndef TSRUN_CASES_H
#define TSRUN_CASES_H

#include <stdbool.h>

#include "call.h"

/* What a check or an action works with. */
struct scene {
	const struct call *call;
	/* Of the root of all records, and of the container's own directory. */
	int root_fd;
	int dir_fd;
};

/*
 * Whether the call is done. If not, nothing that was done on the way is in the way of the runtime, which
 * is to do the call from its beginning.
 */
bool do_foreseen(const struct call *call);

#endif
