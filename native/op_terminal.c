// SPDX-License-Identifier: Apache-2.0
/* op_terminal.c: the session and its terminal. */
#include "op_kinds.h"

#include <termios.h>
#include <sys/ioctl.h>

#include "pty.h"
#include "syscalls.h"

static int open_pty(struct context *context, const struct plan_op *op)
{
	int devpts = slot_get(&context->slots, op->num[0]);
	const struct winsize size = {
		.ws_row = (uint16_t)(op->num[1] >> 32),
		.ws_col = (uint16_t)op->num[1],
	};

	if (devpts < 0)
		return devpts;
	if ((int64_t)op->num[3] == -1)
		return slot_put(&context->slots, op->num[2],
				pty_open(devpts, &size, context->report_fd, NULL));
	int console = slot_get(&context->slots, op->num[3]);

	if (console < 0)
		return console;
	return slot_put(&context->slots, op->num[2],
			pty_open(devpts, &size, console, op_string(context, op, 0)));
}

static int stdio_pty(const struct context *context, const struct plan_op *op)
{
	int slave = slot_get(&context->slots, op->num[0]);

	return slave < 0 ? slave : pty_take_stdio(slave);
}

int apply_terminal_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_SETSID:
		return setsid() < 0 ? -errno : 0;
	case OP_OPEN_PTY:
		return open_pty(context, op);
	case OP_STDIO_PTY:
		return stdio_pty(context, op);
	default:
		return -ENOSYS;
	}
}
