/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_kinds.h: what the files that carry out ops have in common. The plan has been checked: slots are in
 * range, strings are terminated, data is as large as it says. All of it is fit to run between clone and
 * exec: system calls and stack, no allocation (signal-safety(7)).
 */
#ifndef TSRUN_OP_KINDS_H
#define TSRUN_OP_KINDS_H

#include "ops.h"

static inline const char *op_string(const struct context *context, const struct plan_op *op, int index)
{
	return context->plan->blob + op->str[index];
}

/* What the kernel takes as a null pointer where the plan has an empty string. */
static inline const char *op_string_or_null(const struct context *context, const struct plan_op *op,
					    int index)
{
	const char *text = op_string(context, op, index);

	return *text ? text : NULL;
}

static inline const void *op_data(const struct context *context, const struct plan_op *op)
{
	return context->plan->blob + op->str[3];
}

/* One case, one kernel request: 0 or more, or -errno. -ENOSYS for a kind that is another file's. */
int apply_attribute_op(struct context *context, const struct plan_op *op);
int apply_credential_op(struct context *context, const struct plan_op *op);
int apply_file_op(struct context *context, const struct plan_op *op);
int apply_filter_op(struct context *context, const struct plan_op *op);
int apply_mount_op(struct context *context, const struct plan_op *op);
int apply_namespace_op(struct context *context, const struct plan_op *op);
int apply_node_op(struct context *context, const struct plan_op *op);
int apply_root_op(struct context *context, const struct plan_op *op);
int apply_slot_op(struct context *context, const struct plan_op *op);
int apply_terminal_op(struct context *context, const struct plan_op *op);

#endif
