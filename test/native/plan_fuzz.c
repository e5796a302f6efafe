// SPDX-License-Identifier: Apache-2.0
/*
 * plan_fuzz.c: any bytes at all go to the decoder. What it takes must then be safe to use: every
 * string and datum of every op is read as the stage would read it.
 */
#include <stdlib.h>
#include <string.h>

#include "stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static volatile size_t sink;

static void use_lists(const struct plan *plan, uint32_t offset)
{
	const struct exec_lists *lists = (const void *)(plan->blob + offset);

	for (uint32_t i = 0; i < lists->argc + lists->envc + lists->candidates; i++)
		sink += strlen(plan->blob + lists->offset[i]);
}

static void use(const struct plan *plan)
{
	const struct plan_relay *relay = &plan->header->relay;

	if (plan->phase_start[PHASE_COUNT] != plan->header->op_count)
		abort();
	if (plan->ops[plan->phase_start[PHASE_CHILD + 1] - 1].kind != OP_EXEC)
		abort();
	for (uint32_t i = 0; i < plan->header->op_count; i++) {
		const struct plan_op *op = &plan->ops[i];

		for (int n = 0; n < 3; n++)
			sink += strlen(plan->blob + op->str[n]);
		for (uint32_t n = 0; n < op->data_size; n++)
			sink += (unsigned char)plan->blob[op->str[3] + n];
		if (op->data_size == 0 && op->kind == OP_MOUNT)
			sink += strlen(plan->blob + op->str[3]);
		if (op->kind == OP_EXEC)
			use_lists(plan, op->str[3]);
	}
	sink += strlen(plan->blob + relay->log_path) + strlen(plan->blob + relay->socket_dir) +
		strlen(plan->blob + relay->socket_name) + strlen(plan->blob + relay->exit_path) +
		strlen(plan->blob + relay->journal_path) + strlen(plan->blob + relay->journal_head) +
		strlen(plan->blob + relay->memory_events);
	if (relay->exit_command)
		use_lists(plan, relay->exit_command);
	for (unsigned int slot = 0; slot < SLOT_COUNT; slot++)
		sink += plan_uses_slot(plan, PHASE_TEARDOWN, slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct plan plan;
	uint32_t op;
	/* Of exactly its size: a byte too far is seen. malloc(3) aligns it as the decoder wants. */
	void *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	memcpy(copy, bytes, size);
	if (size >= sizeof(struct plan_header))
		/* The decoder checks it against the size; mutations would hardly ever get it right. */
		((struct plan_header *)copy)->total_size = (uint32_t)size;
	if (plan_decode(copy, size, &plan, &op) == 0)
		use(&plan);
	free(copy);
	return 0;
}
