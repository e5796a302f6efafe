/* SPDX-License-Identifier: Apache-2.0 */
/* actions.h: what a case does. Each is false where something was not as foreseen, and may be repeated. */
#ifndef TSRUN_ACTIONS_H
#define TSRUN_ACTIONS_H

#include <stdbool.h>

#include "cases.h"

/* Where the runtime finds what became of a process that was released here. src/oci/start.ts */
#define RESULT_FD_VARIABLE "TSRUN_OCI_RESULT_FD"

bool act_print(const struct scene *scene, const char *const *operands);
bool act_write(const struct scene *scene, const char *const *operands);
bool act_await_frozen(const struct scene *scene, const char *const *operands);
bool act_signal(const struct scene *scene, const char *const *operands);
bool act_release(const struct scene *scene, const char *const *operands);
bool act_remove_cgroup(const struct scene *scene, const char *const *operands);
bool act_remove_records(const struct scene *scene, const char *const *operands);

#endif
