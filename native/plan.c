// SPDX-License-Identifier: Apache-2.0
/*
 * plan.c: reads a plan and refuses what is malformed, before anything is done with it.
 *
 * Pure: bytes in, a verdict out. Everything that the other files index with (slots, offsets, counts,
 * skips) is checked here and in plan_op.c, so that they need not.
 */
#include <errno.h>
#include <string.h>

#include <linux/sched.h>

#include "plan_op.h"

#define MAX_PLAN_SIZE (64u << 20)
#define MAX_OPS 65536u

/* Sorted by phase; fills phase_start. */
static int check_order(struct plan *plan, uint32_t *at)
{
	uint32_t op = 0;

	for (uint32_t phase = 0; phase < PHASE_COUNT; phase++) {
		plan->phase_start[phase] = op;
		while (op < plan->header->op_count && plan->ops[op].phase == phase)
			op++;
	}
	plan->phase_start[PHASE_COUNT] = op;
	*at = op;
	return op == plan->header->op_count ? 0 : -EINVAL;
}

/*
 * A skip stays inside its phase, and in the child never passes the exec at its end. Kinds that the
 * launch waits for come at most once, and a plan with a terminal opens it.
 */
static int check_flow(const struct plan *plan, uint32_t *at)
{
	const uint32_t *start = plan->phase_start;
	uint32_t seen[OP_KIND_END] = { 0 };

	for (uint32_t i = 0; i < plan->header->op_count; i++) {
		const struct plan_op *op = &plan->ops[i];
		uint32_t end = start[op->phase + 1] - (op->phase == PHASE_CHILD);
		uint32_t skip = op->skip_ok > op->skip_failed ? op->skip_ok : op->skip_failed;

		*at = i;
		seen[op->kind]++;
		if (skip && i + 1 + skip > end)
			return -EINVAL;
		if (op->kind == OP_EXEC && i + 1 != start[PHASE_CHILD + 1])
			return -EINVAL;
	}
	*at = REPORT_NO_OP;
	if (seen[OP_EXEC] != 1 || seen[OP_AWAIT_START] > 1 || seen[OP_INIT] > 1 || seen[OP_OPEN_PTY] > 1 ||
	    seen[OP_KEEP_FDS] > 1 || seen[OP_PROXY] > 1)
		return -EINVAL;
	/* Whoever waits for a start has nobody who stays with it. */
	if (seen[OP_AWAIT_START] && !(plan->header->flags & PLAN_LEAVE))
		return -EINVAL;
	if ((plan->header->flags & PLAN_TTY) && seen[OP_OPEN_PTY] != 1)
		return -EINVAL;
	return 0;
}

static int check_flags(const struct plan_header *header)
{
	const uint32_t known = (PLAN_LEAVE << 1) - 1;
	const uint32_t of_relay = PLAN_TTY | PLAN_STDIN | PLAN_STDIN_ONCE | PLAN_RELAY_CLIENT;
	/* Not CLONE_NEWCGROUP (its root would be our cgroup), not CLONE_NEWTIME (clone3 refuses it). */
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
				    CLONE_NEWPID | CLONE_NEWNET;
	uint32_t flags = header->flags;

	if (flags & ~known || header->clone_flags & ~namespaces)
		return -EINVAL;
	if (!(flags & PLAN_RELAY) && flags & of_relay)
		return -EINVAL;
	if ((flags & PLAN_STDIN_ONCE) && !(flags & PLAN_STDIN))
		return -EINVAL;
	/* What needs somebody who stays. */
	if ((flags & PLAN_LEAVE) &&
	    (flags & (PLAN_DAEMON | PLAN_CHILD_DIES_WITH_STAGE | PLAN_RELAY | PLAN_HOLD_MOUNTS)))
		return -EINVAL;
	/* A daemon's parent is not its caller. */
	if ((flags & PLAN_DAEMON) && (flags & PLAN_DIE_WITH_PARENT))
		return -EINVAL;
	return 0;
}

static int check_header(const struct plan_header *header, size_t size)
{
	uint64_t ops_end = header->ops_offset + (uint64_t)header->op_count * sizeof(struct plan_op);

	if (header->magic != PLAN_MAGIC || header->version != PLAN_VERSION ||
	    header->header_size != sizeof(*header) || header->total_size != size)
		return -EINVAL;
	if (header->op_count > MAX_OPS)
		return -E2BIG;
	if (header->ops_offset % 8 || header->ops_offset < sizeof(*header) || ops_end > size)
		return -EINVAL;
	if (header->blob_offset % 8 || header->blob_offset < ops_end || header->blob_size == 0 ||
	    header->blob_offset + (uint64_t)header->blob_size > size)
		return -EINVAL;
	if (header->cgroup_slot < -1 || header->cgroup_slot >= SLOT_COUNT ||
	    header->inherited_fds > SLOT_COUNT)
		return -EINVAL;
	if (header->fault_op != UINT32_MAX && header->fault_op >= header->op_count)
		return -EINVAL;
	if (header->fault_pid > INT32_MAX)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(header->reserved); i++)
		if (header->reserved[i])
			return -EINVAL;
	return check_flags(header);
}

static int check_relay(const struct plan *plan)
{
	const struct plan_relay *relay = &plan->header->relay;
	const uint32_t strings[] = { relay->log_path, relay->socket_dir, relay->socket_name,
				     relay->exit_path, relay->journal_path, relay->journal_head,
				     relay->memory_events };
	const char *name;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (!plan_has_string(plan, strings[i]))
			return -EINVAL;
	name = plan->blob + relay->socket_name;
	if ((*name == '\0') != (plan->blob[relay->socket_dir] == '\0'))
		return -EINVAL;
	if (strlen(name) > PLAN_MAX_SOCKET_NAME || strchr(name, '/'))
		return -EINVAL;
	if (plan->blob[relay->journal_path] && !plan->blob[relay->journal_head])
		return -EINVAL;
	if (relay->exit_command == 0)
		return 0;
	if (relay->exit_command % 8 || relay->exit_command >= plan->header->blob_size)
		return -EINVAL;
	return plan_check_exec_lists(plan, relay->exit_command,
				plan->header->blob_size - relay->exit_command);
}

int plan_decode(const void *bytes, size_t size, struct plan *plan, uint32_t *op)
{
	const struct plan_header *header = bytes;
	int error;

	*op = REPORT_NO_OP;
	if (size > MAX_PLAN_SIZE)
		return -E2BIG;
	if (size < sizeof(*header) || (uintptr_t)bytes % 8 != 0)
		return -EINVAL;
	error = check_header(header, size);
	if (error)
		return error;
	plan->header = header;
	plan->ops = (const struct plan_op *)((const char *)bytes + header->ops_offset);
	plan->blob = (const char *)bytes + header->blob_offset;
	if (plan->blob[0] != '\0' || plan->blob[header->blob_size - 1] != '\0')
		return -EINVAL;
	error = check_relay(plan);
	if (error)
		return error;
	for (uint32_t i = 0; i < header->op_count; i++) {
		error = plan_check_op(plan, &plan->ops[i]);
		if (error) {
			*op = i;
			return error;
		}
	}
	error = check_order(plan, op);
	return error ? error : check_flow(plan, op);
}
