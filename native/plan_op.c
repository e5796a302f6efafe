// SPDX-License-Identifier: Apache-2.0
/* plan_op.c: see plan_op.h. What the kernel checks itself is left to it. */
#include "plan_op.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <linux/if.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>

#include "netlink.h"
#include "plan_forms.h"

#define MAX_SECCOMP_INSTRUCTIONS 4096u /* BPF_MAXINSNS */
#define MAX_EXEC_STRINGS (1u << 20)

static bool slot_in_range(uint64_t number)
{
	return number < SLOT_COUNT;
}

static bool slot_or_none(uint64_t number)
{
	return slot_in_range(number) || (int64_t)number == SLOT_CWD;
}

static bool number_fits(enum number rule, uint64_t number)
{
	switch (rule) {
	case UNUSED:
		return number == 0;
	case ANY:
		return true;
	case U32:
		return number <= UINT32_MAX;
	case MODE:
		return number <= 07777;
	case SLOT:
	case OUT:
		return slot_in_range(number);
	case DIR:
	case OPTIONAL:
		return slot_or_none(number);
	case STDIO:
		return number <= 2;
	case BOOL:
		return number <= 1;
	}
	return false;
}

static bool is_proc_name(const char *name)
{
	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (; *name; name++)
		if (*name != '_' && *name != '/' && (*name < 'a' || *name > 'z'))
			return false;
	return true;
}

/* The blob ends in NUL (checked first), so an offset inside it is a terminated string. */
static bool string_fits(const struct plan *plan, enum string rule, uint32_t offset)
{
	if (offset >= plan->header->blob_size)
		return false;
	switch (rule) {
	case NONE:
		return offset == 0;
	case TEXT:
		return true;
	case SOME:
		return plan->blob[offset] != '\0';
	case PROC:
		return is_proc_name(plan->blob + offset);
	}
	return false;
}

bool plan_has_string(const struct plan *plan, uint32_t offset)
{
	return string_fits(plan, TEXT, offset);
}

static uint32_t word_at(const struct plan *plan, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, plan->blob + offset, sizeof(word));
	return word;
}

int plan_check_exec_lists(const struct plan *plan, uint32_t offset, uint32_t size)
{
	uint64_t strings = 0;

	if (size < sizeof(struct exec_lists))
		return -EINVAL;
	for (uint32_t i = 0; i < 3; i++)
		strings += word_at(plan, offset + 4 * i);
	if (strings > MAX_EXEC_STRINGS)
		return -E2BIG;
	if (sizeof(struct exec_lists) + 4 * strings > size)
		return -EINVAL;
	/* execve(2) wants an argv[0]; without a candidate there is nothing to execute. */
	if (word_at(plan, offset) == 0 || word_at(plan, offset + 8) == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < strings; i++)
		if (word_at(plan, offset + (uint32_t)sizeof(struct exec_lists) + 4 * i) >=
		    plan->header->blob_size)
			return -EINVAL;
	return 0;
}

static int check_data(const struct plan *plan, const struct plan_op *op, enum data rule)
{
	uint32_t offset = op->str[3], size = op->data_size;

	if (rule == NO_DATA)
		return size == 0 ? 0 : -EINVAL;
	if (op->kind == OP_SECCOMP && size / 8 > MAX_SECCOMP_INSTRUCTIONS)
		return -E2BIG;
	if (offset % 8 != 0 || offset > plan->header->blob_size ||
	    size > plan->header->blob_size - offset)
		return -EINVAL;
	switch (rule) {
	case NO_DATA:
	case BYTES:
		return 0;
	case SOME_BYTES:
		return size > 0 ? 0 : -EINVAL;
	case WORDS:
		return size % 4 == 0 ? 0 : -EINVAL;
	case INSTRUCTIONS:
		return size > 0 && size % 8 == 0 ? 0 : -EINVAL;
	case SCHED_ATTR:
		/* The kernel reads as many bytes as the struct's first field says. */
		return size >= 4 && word_at(plan, offset) <= size ? 0 : -EINVAL;
	case MASK:
		return size % sizeof(long) == 0 ? 0 : -EINVAL;
	case NETLINK:
		return size >= sizeof(struct nlmsghdr) && size <= NETLINK_MAX_SIZE &&
		       word_at(plan, offset) == size ? 0 : -EINVAL;
	case EXEC_LISTS:
		return plan_check_exec_lists(plan, offset, size);
	}
	return -EINVAL;
}

/* A 32-bit field inside the data, past the netlink header, or -1 for none. */
static bool is_field(uint64_t offset, uint32_t size)
{
	return (int64_t)offset == -1 ||
	       (offset % 4 == 0 && offset >= sizeof(struct nlmsghdr) && offset < size);
}

/* What the table of forms cannot say. */
static int check_kind(const struct plan *plan, const struct plan_op *op)
{
	const uint32_t flags = plan->header->flags;

	switch (op->kind) {
	case OP_OPEN:
		/* It has no mode operand: creating is OP_OPENAT2's. */
		return op->num[1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? -EINVAL : 0;
	case OP_MOUNT:
		/* The target is a slot or a path, and never both. */
		if (((int64_t)op->num[1] == SLOT_CWD) != (plan->blob[op->str[3]] != '\0'))
			return -EINVAL;
		/* A slot is mounted on by going there, which would move a relative source. */
		if ((int64_t)op->num[1] != SLOT_CWD && op->num[0] & (MS_BIND | MS_MOVE) &&
		    !(op->num[0] & MS_REMOUNT) && plan->blob[op->str[0]] != '/')
			return -EINVAL;
		return 0;
	case OP_MOVE_MOUNT:
		return ((int64_t)op->num[1] == SLOT_CWD) == (plan->blob[op->str[0]] != '\0') ? 0 : -EINVAL;
	case OP_MOUNT_SETATTR:
		return (uint32_t)op->num[3] <= SLOT_COUNT ? 0 : -EINVAL;
	case OP_SECCOMP:
		/* A listener that nobody holds would leave the filtered calls hanging. */
		return ((op->num[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0) ==
		       ((int64_t)op->num[1] != -1) ? 0 : -EINVAL;
	case OP_OPEN_PTY:
		/* The master goes to one of the two; and a descriptor travels with a byte at least. */
		if ((int64_t)op->num[3] == -1)
			return flags & PLAN_TTY ? 0 : -EINVAL;
		return !(flags & PLAN_TTY) && plan->blob[op->str[0]] != '\0' ? 0 : -EINVAL;
	case OP_NETLINK:
		if (!is_field(op->num[0], op->data_size) || !is_field(op->num[1], op->data_size))
			return -EINVAL;
		/* An index is asked for by name, and a namespace is written somewhere. */
		if (((int64_t)op->num[0] == -1) != (plan->blob[op->str[0]] == '\0') ||
		    strlen(plan->blob + op->str[0]) >= IFNAMSIZ)
			return -EINVAL;
		return (int64_t)op->num[1] == -1 && (int64_t)op->num[2] != -1 ? -EINVAL : 0;
	case OP_SEND_LISTENER:
		/* The child goes on before the stage has sent it. */
		return op->tolerate[0] || op->tolerate[1] ||
		       strlen(plan->blob + op->str[0]) > PLAN_MAX_SOCKET_NAME ? -EINVAL : 0;
	case OP_KEEP_FDS:
		return op->num[1] <= SLOT_COUNT - op->num[0] ? 0 : -EINVAL;
	case OP_PROXY:
	case OP_HOLD:
	case OP_AWAIT_START:
	case OP_INIT:
	case OP_EXEC:
		/* There is no way on from a failure of these. */
		return op->tolerate[0] || op->tolerate[1] || op->skip_ok ? -EINVAL : 0;
	default:
		return 0;
	}
}

int plan_check_op(const struct plan *plan, const struct plan_op *op)
{
	const struct form *form;
	int error;

	if (op->kind == 0 || op->kind >= OP_KIND_END || op->phase >= PHASE_COUNT)
		return -EINVAL;
	form = &plan_forms[op->kind];
	if (!(form->phases & 1u << op->phase) || op->flags & ~OP_FLAG_WARN || op->reserved)
		return -EINVAL;
	for (int i = 0; i < 4; i++)
		if (!number_fits(form->num[i], op->num[i]))
			return -EINVAL;
	for (int i = 0; i < 4; i++) {
		if (i == 3 && form->data != NO_DATA)
			break; /* the data's offset */
		if (!string_fits(plan, form->str[i], op->str[i]))
			return -EINVAL;
	}
	error = check_data(plan, op, form->data);
	return error ? error : check_kind(plan, op);
}

bool plan_uses_slot(const struct plan *plan, enum plan_phase phase, unsigned int slot)
{
	for (uint32_t i = plan->phase_start[phase]; i < plan->phase_start[phase + 1]; i++) {
		const struct plan_op *op = &plan->ops[i];

		for (int n = 0; n < 4; n++) {
			enum number rule = plan_forms[op->kind].num[n];

			if ((rule == SLOT || rule == DIR || rule == OPTIONAL) && op->num[n] == slot)
				return true;
		}
		if (op->kind == OP_MOUNT_SETATTR && (uint32_t)op->num[3] == slot + 1)
			return true;
	}
	return false;
}
