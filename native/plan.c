// SPDX-License-Identifier: Apache-2.0
/*
 * plan.c: reads a plan and refuses what is malformed, before anything is done with it.
 *
 * Pure: bytes in, a verdict out. Everything that the other files index with (slots, offsets, counts,
 * skips) is checked here, so that they need not; what the kernel checks itself is left to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include <linux/if.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "netlink.h"
#include "stage.h"

#define MAX_PLAN_SIZE (64u << 20)
#define MAX_OPS 65536u
#define MAX_SECCOMP_INSTRUCTIONS 4096u /* BPF_MAXINSNS */
#define MAX_EXEC_STRINGS (1u << 20)
#define MAX_SOCKET_NAME 107u           /* sun_path without its NUL */

/* What one of an op's numbers must be. */
enum number {
	UNUSED = 0,             /* zero, so that a later version may give it a meaning */
	ANY,                    /* the kernel judges it */
	U32,                    /* fits 32 bits, as the system call's argument does */
	MODE,                   /* permissions */
	SLOT,                   /* a descriptor slot that is read */
	OUT,                    /* a descriptor slot that is filled */
	DIR,                    /* a slot or SLOT_CWD */
	OPTIONAL,               /* a slot or -1 for none */
	STDIO,                  /* 0, 1 or 2 */
	BOOL,                   /* 0 or 1 */
};

/* What one of its strings must be. */
enum string {
	NONE = 0,               /* offset 0 */
	TEXT,                   /* any, the empty string too */
	SOME,                   /* not empty */
	PROC,                   /* a name below /proc/PID: letters, '_' and '/' */
};

enum data {
	NO_DATA = 0,
	BYTES,                  /* any number, zero too */
	SOME_BYTES,
	WORDS,                  /* uint32_t[] */
	INSTRUCTIONS,           /* struct bpf_insn[] or sock_filter[]: 8 bytes each, at least one */
	SCHED_ATTR,             /* starts with its own size */
	MASK,                   /* whole longs, none too */
	NETLINK,                /* struct nlmsghdr, which has the size of it all */
	EXEC_LISTS,
};

enum {
	IN_HOST = 1 << PHASE_HOST,
	IN_PARENT = 1 << PHASE_PARENT,
	IN_CHILD = 1 << PHASE_CHILD,
	IN_TEARDOWN = 1 << PHASE_TEARDOWN,
	ANYWHERE = IN_HOST | IN_PARENT | IN_CHILD | IN_TEARDOWN,
	IN_LAUNCH = IN_HOST | IN_PARENT | IN_CHILD,
};

struct form {
	uint8_t phases;
	uint8_t num[4];
	uint8_t str[4];
	uint8_t data;
};

/* One line a kind; native/plan.h says what the operands mean. */
static const struct form forms[OP_KIND_END] = {
	[OP_MKDIR] = { ANYWHERE, { MODE }, { SOME } },
	[OP_RMDIR] = { ANYWHERE, { U32 }, { SOME } },
	[OP_UNLINK] = { ANYWHERE, { 0 }, { SOME } },
	[OP_WRITE_FILE] = { ANYWHERE, { DIR, U32 }, { SOME }, BYTES },
	[OP_WRITE_PROC] = { IN_PARENT, { 0 }, { PROC }, SOME_BYTES },
	[OP_OPEN] = { ANYWHERE, { DIR, U32, OUT }, { SOME } },
	[OP_OPENAT2] = { ANYWHERE, { DIR, ANY, ANY, OUT }, { SOME } },
	[OP_CLOSE] = { ANYWHERE, { SLOT } },
	[OP_SETNS] = { ANYWHERE, { SLOT, U32 } },
	[OP_UNSHARE] = { IN_LAUNCH, { U32 } },
	[OP_BPF_PROG_LOAD] = { IN_LAUNCH, { U32, U32, OUT }, { 0 }, INSTRUCTIONS },
	[OP_BPF_PROG_ATTACH] = { IN_LAUNCH, { SLOT, SLOT, U32, U32 } },
	[OP_MOUNT] = { ANYWHERE, { ANY, DIR }, { TEXT, TEXT, TEXT, TEXT } },
	[OP_UMOUNT] = { ANYWHERE, { U32 }, { SOME } },
	[OP_OPEN_TREE] = { ANYWHERE, { DIR, U32, OUT }, { TEXT } },
	[OP_MOUNT_SETATTR] = { ANYWHERE, { SLOT, U32, ANY, ANY } },
	[OP_MOVE_MOUNT] = { ANYWHERE, { SLOT, DIR }, { TEXT } },
	[OP_FSOPEN] = { ANYWHERE, { OUT }, { SOME } },
	[OP_FSCONFIG] = { ANYWHERE, { SLOT, U32, OPTIONAL }, { TEXT, TEXT } },
	[OP_FSMOUNT] = { ANYWHERE, { SLOT, U32, OUT } },
	[OP_MKDIR_BELOW] = { ANYWHERE, { SLOT, U32 }, { TEXT } },
	[OP_MKNOD] = { IN_LAUNCH, { DIR, U32, ANY }, { SOME } },
	[OP_SYMLINK] = { IN_LAUNCH, { DIR }, { SOME, SOME } },
	[OP_CHOWN] = { IN_LAUNCH, { DIR, U32, U32 }, { TEXT } },
	[OP_FCHDIR] = { ANYWHERE, { SLOT } },
	[OP_CHDIR] = { ANYWHERE, { 0 }, { SOME } },
	[OP_PIVOT_ROOT] = { IN_CHILD, { 0 }, { SOME, SOME } },
	[OP_CHROOT] = { IN_LAUNCH, { 0 }, { SOME } },
	[OP_SETHOSTNAME] = { IN_CHILD, { 0 }, { TEXT } },
	[OP_SETDOMAINNAME] = { IN_CHILD, { 0 }, { TEXT } },
	[OP_LINK_UP] = { IN_LAUNCH, { 0 }, { SOME } },
	[OP_PRLIMIT] = { IN_CHILD, { U32, ANY, ANY } },
	[OP_PRCTL] = { IN_LAUNCH, { U32, ANY, ANY, ANY } },
	[OP_SETGROUPS] = { IN_CHILD, { 0 }, { 0 }, WORDS },
	[OP_SETRESGID] = { IN_LAUNCH, { U32 } },
	[OP_SETRESUID] = { IN_LAUNCH, { U32 } },
	[OP_BOUNDING_SET] = { IN_CHILD, { ANY } },
	[OP_CAPSET] = { IN_CHILD, { ANY, ANY, ANY } },
	[OP_AMBIENT_SET] = { IN_CHILD, { ANY } },
	[OP_UMASK] = { IN_CHILD, { MODE } },
	[OP_PERSONALITY] = { IN_CHILD, { U32 } },
	[OP_SCHED_SETAFFINITY] = { IN_LAUNCH, { 0 }, { 0 }, SOME_BYTES },
	[OP_SCHED_SETATTR] = { IN_CHILD, { 0 }, { 0 }, SCHED_ATTR },
	[OP_IOPRIO_SET] = { IN_CHILD, { U32 } },
	[OP_SECCOMP] = { IN_CHILD, { U32, OPTIONAL }, { 0 }, INSTRUCTIONS },
	[OP_KEYRING] = { IN_CHILD, { 0 }, { TEXT } },
	[OP_SETSID] = { IN_CHILD },
	[OP_OPEN_PTY] = { IN_CHILD, { SLOT, ANY, OUT, OPTIONAL }, { TEXT } },
	[OP_STDIO_PTY] = { IN_CHILD, { SLOT } },
	[OP_HOLD] = { IN_CHILD },
	[OP_CLOSE_RANGE] = { IN_LAUNCH, { U32 } },
	[OP_INIT] = { IN_CHILD },
	[OP_EXEC] = { IN_CHILD, { 0 }, { 0 }, EXEC_LISTS },
	[OP_FCHOWN] = { IN_CHILD, { STDIO, U32, U32 } },
	[OP_PROXY] = { IN_HOST },
	[OP_SET_MEMPOLICY] = { IN_CHILD, { U32 }, { 0 }, MASK },
	[OP_NETLINK] = { IN_LAUNCH, { ANY, ANY, OPTIONAL }, { TEXT }, NETLINK },
	[OP_SEND_LISTENER] = { IN_CHILD, { SLOT }, { SOME }, SOME_BYTES },
	[OP_CHECK_FS] = { IN_LAUNCH, { SLOT, U32, BOOL } },
	[OP_CHECK_NODE] = { IN_LAUNCH, { DIR, U32, ANY }, { SOME } },
	[OP_CHECK_CWD] = { IN_CHILD },
	[OP_CLOSE_SLOTS] = { IN_CHILD, { OPTIONAL, OPTIONAL } },
	[OP_AWAIT_START] = { IN_CHILD, { SLOT, SLOT } },
	[OP_FIND_EXEC] = { IN_CHILD },
	[OP_KEEP_FDS] = { IN_CHILD, { SLOT, U32 } },
};

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

static uint32_t word_at(const struct plan *plan, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, plan->blob + offset, sizeof(word));
	return word;
}

/* Three counts, then as many string offsets. size is what the lists may take at most. */
static int check_exec_lists(const struct plan *plan, uint32_t offset, uint32_t size)
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
		return check_exec_lists(plan, offset, size);
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
		       strlen(plan->blob + op->str[0]) > MAX_SOCKET_NAME ? -EINVAL : 0;
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

static int check_op(const struct plan *plan, const struct plan_op *op)
{
	const struct form *form;
	int error;

	if (op->kind == 0 || op->kind >= OP_KIND_END || op->phase >= PHASE_COUNT)
		return -EINVAL;
	form = &forms[op->kind];
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
		if (!string_fits(plan, TEXT, strings[i]))
			return -EINVAL;
	name = plan->blob + relay->socket_name;
	if ((*name == '\0') != (plan->blob[relay->socket_dir] == '\0'))
		return -EINVAL;
	if (strlen(name) > MAX_SOCKET_NAME || strchr(name, '/'))
		return -EINVAL;
	if (plan->blob[relay->journal_path] && !plan->blob[relay->journal_head])
		return -EINVAL;
	if (relay->exit_command == 0)
		return 0;
	if (relay->exit_command % 8 || relay->exit_command >= plan->header->blob_size)
		return -EINVAL;
	return check_exec_lists(plan, relay->exit_command,
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
		error = check_op(plan, &plan->ops[i]);
		if (error) {
			*op = i;
			return error;
		}
	}
	error = check_order(plan, op);
	return error ? error : check_flow(plan, op);
}

bool plan_uses_slot(const struct plan *plan, enum plan_phase phase, unsigned int slot)
{
	for (uint32_t i = plan->phase_start[phase]; i < plan->phase_start[phase + 1]; i++) {
		const struct plan_op *op = &plan->ops[i];

		for (int n = 0; n < 4; n++) {
			enum number rule = forms[op->kind].num[n];

			if ((rule == SLOT || rule == DIR || rule == OPTIONAL) && op->num[n] == slot)
				return true;
		}
		if (op->kind == OP_MOUNT_SETATTR && (uint32_t)op->num[3] == slot + 1)
			return true;
	}
	return false;
}
