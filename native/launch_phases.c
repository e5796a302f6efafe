// SPDX-License-Identifier: Apache-2.0
/* launch_phases.c: see launch_steps.h. A phase's ops one after the other, and what undoes them. */
#include "launch_steps.h"

#include "report.h"
#include "syscalls.h"

void launch_mark(const struct launch *launch, enum report_phase point)
{
	if (launch->plan->header->flags & PLAN_TIMINGS)
		report(FD_CONTROL, REPORT_PHASE, point, 0, 0);
}

void launch_inject_fault(const struct launch *launch)
{
	uint32_t pid = launch->plan->header->fault_pid;

	kill(pid ? (pid_t)pid : launch->self, SIGKILL);
}

/* Does the op, and moves on to the last of those that its end skips. What op_apply says. */
static int run_op(struct launch *launch, uint32_t *i)
{
	const struct plan_op *op = &launch->plan->ops[*i];
	int done;

	if (launch->plan->header->fault_op == *i)
		launch_inject_fault(launch);
	done = op_apply(launch->context, op);
	*i += done >= 0 ? op->skip_ok : op->skip_failed;
	return done;
}

static void warn(uint32_t index, int done)
{
	report(FD_CONTROL, REPORT_WARNED, index, -done, 0);
}

struct failure launch_run_ops(struct launch *launch, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		const uint32_t index = i;
		const struct plan_op *op = &launch->plan->ops[index];
		const int done = run_op(launch, &i);

		if (done < 0 && !op_tolerates(op, done))
			return failed(index, done);
		if (done < 0 && op->flags & OP_FLAG_WARN)
			warn(index, done);
	}
	return success;
}

struct failure launch_run_phase(struct launch *launch, enum plan_phase phase)
{
	return launch_run_ops(launch, launch->plan->phase_start[phase], launch->plan->phase_start[phase + 1]);
}

void launch_tear_down(struct launch *launch)
{
	const uint32_t *start = launch->plan->phase_start;

	for (uint32_t i = start[PHASE_TEARDOWN]; i < start[PHASE_COUNT]; i++) {
		const uint32_t index = i;
		const struct plan_op *op = &launch->plan->ops[index];
		const int done = run_op(launch, &i);

		if (done < 0 && (op_tolerates(op, done) ? op->flags & OP_FLAG_WARN : done != -ENOENT))
			warn(index, done);
	}
}
