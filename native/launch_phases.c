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

struct failure launch_run_ops(struct launch *launch, uint32_t from, uint32_t to)
{
	const struct plan *plan = launch->plan;

	for (uint32_t i = from; i < to; i++) {
		const struct plan_op *op = &plan->ops[i];
		int done;

		if (plan->header->fault_op == i)
			launch_inject_fault(launch);
		done = op_apply(launch->context, op);
		if (done >= 0) {
			i += op->skip_ok;
			continue;
		}
		if (!op_tolerates(op, done))
			return failed(i, done);
		if (op->flags & OP_FLAG_WARN)
			report(FD_CONTROL, REPORT_WARNED, i, -done, 0);
		i += op->skip_failed;
	}
	return success;
}

struct failure launch_run_phase(struct launch *launch, enum plan_phase phase)
{
	return launch_run_ops(launch, launch->plan->phase_start[phase], launch->plan->phase_start[phase + 1]);
}

void launch_tear_down(struct launch *launch)
{
	const struct plan *plan = launch->plan;

	for (uint32_t i = plan->phase_start[PHASE_TEARDOWN]; i < plan->phase_start[PHASE_COUNT]; i++) {
		const struct plan_op *op = &plan->ops[i];
		int done;

		if (plan->header->fault_op == i)
			launch_inject_fault(launch);
		done = op_apply(launch->context, op);
		if (done >= 0) {
			i += op->skip_ok;
			continue;
		}
		if (op_tolerates(op, done) ? op->flags & OP_FLAG_WARN : done != -ENOENT)
			report(FD_CONTROL, REPORT_WARNED, i, -done, 0);
		i += op->skip_failed;
	}
}
