/* SPDX-License-Identifier: Apache-2.0 */
/* plan_op.h: one op of a plan that is being checked. Its header and the blob's NUL at the end are checked. */
#ifndef TSRUN_PLAN_OP_H
#define TSRUN_PLAN_OP_H

#include <stdbool.h>

#include "stage.h"

#define PLAN_MAX_SOCKET_NAME 107u      /* sun_path without its NUL */

/* 0 or -errno: everything about an op that does not depend on its neighbours. */
int plan_check_op(const struct plan *plan, const struct plan_op *op);

/* Whether a terminated string, the empty one too, is at this offset of the blob. */
bool plan_has_string(const struct plan *plan, uint32_t offset);

/* Three counts, then as many string offsets. size is what the lists may take at most. 0 or -errno. */
int plan_check_exec_lists(const struct plan *plan, uint32_t offset, uint32_t size);

#endif
