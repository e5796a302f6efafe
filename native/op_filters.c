// SPDX-License-Identifier: Apache-2.0
/* op_filters.c: programs that the kernel runs: a cgroup's device filter and a seccomp filter. */
#include "op_kinds.h"

#include <string.h>

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "listener.h"
#include "syscalls.h"

static int bpf_prog_load(struct context *context, const struct plan_op *op)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = (uint32_t)op->num[0];
	attr.expected_attach_type = (uint32_t)op->num[1];
	attr.insns = (uintptr_t)op_data(context, op);
	attr.insn_cnt = op->data_size / (uint32_t)sizeof(struct bpf_insn);
	attr.license = (uintptr_t)"Apache-2.0";
	return slot_put(&context->slots, op->num[2], sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int bpf_prog_attach(const struct context *context, const struct plan_op *op)
{
	int program = slot_get(&context->slots, op->num[0]);
	int target = slot_get(&context->slots, op->num[1]);
	union bpf_attr attr;

	if (program < 0 || target < 0)
		return -EBADF;
	memset(&attr, 0, sizeof(attr));
	attr.attach_bpf_fd = (uint32_t)program;
	attr.target_fd = (uint32_t)target;
	attr.attach_type = (uint32_t)op->num[2];
	attr.attach_flags = (uint32_t)op->num[3];
	return (int)sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

static int set_seccomp(struct context *context, const struct plan_op *op)
{
	struct sock_fprog program = {
		.len = (unsigned short)(op->data_size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)op_data(context, op),
	};
	long listener = sys_seccomp(SECCOMP_SET_MODE_FILTER, (unsigned int)op->num[0], &program);

	if (listener < 0 || (int64_t)op->num[1] == -1)
		return (int)listener;
	return slot_put(&context->slots, op->num[1], listener);
}

static int send_listener(const struct context *context, const struct plan_op *op)
{
	int listener = slot_get(&context->slots, op->num[0]);

	return listener < 0 ? listener :
	       listener_hand_over(context->report_fd, (unsigned int)(op - context->plan->ops), listener);
}

int apply_filter_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_BPF_PROG_LOAD:
		return bpf_prog_load(context, op);
	case OP_BPF_PROG_ATTACH:
		return bpf_prog_attach(context, op);
	case OP_SECCOMP:
		return set_seccomp(context, op);
	case OP_SEND_LISTENER:
		return send_listener(context, op);
	default:
		return -ENOSYS;
	}
}
