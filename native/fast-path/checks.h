/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h: looking at what a case asks for. Each is false, too, where it cannot be found out. */
#ifndef TSRUN_CHECKS_H
#define TSRUN_CHECKS_H

#include <stdbool.h>

#include "cases.h"

#define OPERANDS_MAX 3

bool check_boot(const struct scene *scene, const char *const *operands);
bool check_another_boot(const struct scene *scene, const char *const *operands);
bool check_alive(const struct scene *scene, const char *const *operands);
bool check_ended(const struct scene *scene, const char *const *operands);
bool check_exists(const struct scene *scene, const char *const *operands);
bool check_absent(const struct scene *scene, const char *const *operands);
bool check_frozen(const struct scene *scene, const char *const *operands);
bool check_thawed(const struct scene *scene, const char *const *operands);
bool check_unpopulated(const struct scene *scene, const char *const *operands);
bool check_signal_is(const struct scene *scene, const char *const *operands);
bool check_signal_is_a_number(const struct scene *scene, const char *const *operands);
bool check_unset(const struct scene *scene, const char *const *operands);

#endif
