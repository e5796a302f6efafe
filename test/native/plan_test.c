// SPDX-License-Identifier: Apache-2.0
/*
 * plan_test.c: what plan.c takes and what it refuses, and at which op.
 *
 *     plan_test               runs the table
 *     plan_test --seed DIR    writes every plan of the table to DIR, as the fuzzer's first corpus
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "stage.h"

#define OPS 8
#define BLOB 512

/* A plan under construction, laid out as it goes over the wire. */
struct wire {
	struct plan_header header;
	struct plan_op op[OPS];
	_Alignas(8) char blob[BLOB];
};

static struct wire wire;
static uint32_t blob_used;

static uint32_t add_bytes(const void *bytes, uint32_t size)
{
	uint32_t at = (blob_used + 7) & ~7u;

	memcpy(wire.blob + at, bytes, size);
	blob_used = at + size;
	return at;
}

static uint32_t add_string(const char *text)
{
	return add_bytes(text, (uint32_t)strlen(text) + 1);
}

static uint32_t add_exec(uint32_t argc, uint32_t envc, uint32_t candidates, uint32_t strings)
{
	uint32_t words[16] = { argc, envc, candidates };
	uint32_t text = add_string("/bin/true");

	for (uint32_t i = 0; i < strings; i++)
		words[3 + i] = text;
	return add_bytes(words, 4 * (3 + strings));
}

static struct plan_op *add_op(enum op_kind kind, enum plan_phase phase)
{
	struct plan_op *op = &wire.op[wire.header.op_count++];

	op->kind = (uint16_t)kind;
	op->phase = (uint8_t)phase;
	return op;
}

static struct plan_op *add_exec_op(void)
{
	struct plan_op *op = add_op(OP_EXEC, PHASE_CHILD);

	op->str[3] = add_exec(1, 1, 1, 3);
	op->data_size = 24;
	return op;
}

static void begin(void)
{
	memset(&wire, 0, sizeof(wire));
	blob_used = 8;
	wire.header = (struct plan_header){
		.magic = PLAN_MAGIC,
		.version = PLAN_VERSION,
		.header_size = sizeof(wire.header),
		.total_size = sizeof(wire),
		.ops_offset = offsetof(struct wire, op),
		.blob_offset = offsetof(struct wire, blob),
		.blob_size = BLOB,
		.cgroup_slot = -1,
		.fault_op = UINT32_MAX,
	};
}

/* ---- the table: each function spoils (or completes) the smallest good plan ---- */

static void smallest(void) { add_exec_op(); }

static void every_phase(void)
{
	struct plan_op *op = add_op(OP_MKDIR, PHASE_HOST);

	op->num[0] = 0755;
	op->str[0] = add_string("/tmp/x");
	op->tolerate[0] = EEXIST;
	op->skip_failed = 1;
	op = add_op(OP_CLOSE, PHASE_HOST);
	op->num[0] = 255;
	op = add_op(OP_WRITE_PROC, PHASE_PARENT);
	op->str[0] = add_string("uid_map");
	op->str[3] = add_bytes("0 0 1", 5);
	op->data_size = 5;
	op = add_op(OP_SETHOSTNAME, PHASE_CHILD);
	op->skip_ok = 0;
	add_exec_op();
	op = add_op(OP_RMDIR, PHASE_TEARDOWN);
	op->str[0] = add_string("/tmp/x");
	op->num[0] = 100;
}

static void terminal(void)
{
	wire.header.flags = PLAN_RELAY | PLAN_TTY | PLAN_STDIN | PLAN_DAEMON;
	wire.header.relay.socket_dir = add_string("/run");
	wire.header.relay.socket_name = add_string("attach");
	wire.header.relay.exit_command = add_exec(1, 0, 1, 2);
	struct plan_op *pty = add_op(OP_OPEN_PTY, PHASE_CHILD);

	pty->num[2] = 1;
	pty->num[3] = (uint64_t)-1;
	add_op(OP_HOLD, PHASE_CHILD);
	add_op(OP_INIT, PHASE_CHILD);
	add_exec_op();
}

static void seccomp_filter(void)
{
	static const char filter[16];
	struct plan_op *op = add_op(OP_SECCOMP, PHASE_CHILD);

	op->str[3] = add_bytes(filter, sizeof(filter));
	op->data_size = sizeof(filter);
	op->num[1] = (uint64_t)-1;
	add_exec_op();
}

static void mount_on_path(void)
{
	struct plan_op *op = add_op(OP_MOUNT, PHASE_CHILD);

	op->str[0] = op->str[1] = add_string("tmpfs");
	op->str[3] = add_string("/mnt");
	op->num[1] = (uint64_t)-1;
	add_exec_op();
}

static void nothing(void) {}
static void bad_magic(void) { smallest(); wire.header.magic++; }
static void bad_version(void) { smallest(); wire.header.version++; }
static void bad_header_size(void) { smallest(); wire.header.header_size += 8; }
static void bad_total(void) { smallest(); wire.header.total_size -= 8; }
static void ops_unaligned(void) { smallest(); wire.header.ops_offset += 4; }
static void ops_in_header(void) { smallest(); wire.header.ops_offset = 64; }
static void ops_past_end(void) { smallest(); wire.header.op_count = 65000; }
static void ops_too_many(void) { smallest(); wire.header.op_count = 70000; }
static void ops_count_wraps(void) { smallest(); wire.header.op_count = UINT32_MAX; }
static void blob_unaligned(void) { smallest(); wire.header.blob_offset += 4; wire.header.blob_size -= 4; }
static void blob_over_ops(void) { smallest(); wire.header.blob_offset = 128; }
static void blob_empty(void) { smallest(); wire.header.blob_size = 0; }
static void blob_past_end(void) { smallest(); wire.header.blob_size += 8; }
static void blob_wraps(void) { smallest(); wire.header.blob_size = UINT32_MAX; }
static void blob_no_first_nul(void) { smallest(); wire.blob[0] = 'x'; }
static void blob_no_last_nul(void) { smallest(); wire.blob[BLOB - 1] = 'x'; }
static void flags_unknown(void) { smallest(); wire.header.flags = PLAN_LEAVE << 1; }
static void flags_tty_alone(void) { smallest(); wire.header.flags = PLAN_TTY; }
static void flags_tty_unopened(void) { smallest(); wire.header.flags = PLAN_RELAY | PLAN_TTY; }
static void flags_once_alone(void) { smallest(); wire.header.flags = PLAN_RELAY | PLAN_STDIN_ONCE; }
static void flags_daemon_dies(void) { smallest(); wire.header.flags = PLAN_DAEMON | PLAN_DIE_WITH_PARENT; }
static void clone_vm(void) { smallest(); wire.header.clone_flags = CLONE_VM; }
static void clone_newcgroup(void) { smallest(); wire.header.clone_flags = CLONE_NEWCGROUP; }
static void clone_newtime(void) { smallest(); wire.header.clone_flags = CLONE_NEWTIME; }
static void cgroup_slot_low(void) { smallest(); wire.header.cgroup_slot = -2; }
static void cgroup_slot_high(void) { smallest(); wire.header.cgroup_slot = SLOT_COUNT; }
static void inherited_many(void) { smallest(); wire.header.inherited_fds = SLOT_COUNT + 1; }
static void fault_nowhere(void) { smallest(); wire.header.fault_op = 1; }
static void fault_pid_negative(void) { smallest(); wire.header.fault_pid = UINT32_MAX; }
static void reserved_used(void) { smallest(); wire.header.reserved[15] = 1; }
static void relay_string_out(void) { smallest(); wire.header.relay.log_path = BLOB; }
static void relay_name_alone(void) { smallest(); wire.header.relay.socket_name = add_string("x"); }
static void relay_journal_headless(void) { smallest(); wire.header.relay.journal_path = add_string("x"); }
static void relay_exit_unaligned(void) { smallest(); wire.header.relay.exit_command = 12; }
static void relay_exit_out(void) { smallest(); wire.header.relay.exit_command = BLOB; }
static void relay_exit_cut(void) { smallest(); wire.header.relay.exit_command = BLOB - 8; }

static void relay_name_slash(void)
{
	smallest();
	wire.header.relay.socket_dir = add_string("/run");
	wire.header.relay.socket_name = add_string("../x");
}

static void relay_name_long(void)
{
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	smallest();
	wire.header.relay.socket_dir = add_string("/run");
	wire.header.relay.socket_name = add_string(name);
}

static void kind_zero(void) { add_op(0, PHASE_CHILD); add_exec_op(); }
static void kind_unknown(void) { add_op(OP_KIND_END, PHASE_CHILD); add_exec_op(); }
static void phase_unknown(void) { add_op(OP_SETSID, PHASE_COUNT); add_exec_op(); }
static void phase_wrong(void) { add_op(OP_SETSID, PHASE_HOST); add_exec_op(); }
static void proc_in_child(void) { add_op(OP_WRITE_PROC, PHASE_CHILD); add_exec_op(); }
static void op_flags_unknown(void) { add_op(OP_SETSID, PHASE_CHILD)->flags = 2; add_exec_op(); }
static void op_reserved(void) { add_op(OP_SETSID, PHASE_CHILD)->reserved = 1; add_exec_op(); }
static void operand_extra(void) { add_op(OP_SETSID, PHASE_CHILD)->num[3] = 1; add_exec_op(); }
static void string_extra(void) { add_op(OP_SETSID, PHASE_CHILD)->str[2] = 1; add_exec_op(); }
static void data_extra(void) { add_op(OP_SETSID, PHASE_CHILD)->data_size = 1; add_exec_op(); }
static void string_out(void) { add_op(OP_CHDIR, PHASE_CHILD)->str[0] = BLOB; add_exec_op(); }
static void string_missing(void) { add_op(OP_CHDIR, PHASE_CHILD); add_exec_op(); }
static void slot_high(void) { add_op(OP_FCHDIR, PHASE_CHILD)->num[0] = SLOT_COUNT; add_exec_op(); }
static void slot_negative(void) { add_op(OP_FCHDIR, PHASE_CHILD)->num[0] = (uint64_t)-1; add_exec_op(); }
static void number_wide(void) { add_op(OP_UNSHARE, PHASE_CHILD)->num[0] = 1ull << 32; add_exec_op(); }
static void mode_wide(void) { add_op(OP_UMASK, PHASE_CHILD)->num[0] = 010000; add_exec_op(); }
static void proxy_in_child(void) { add_op(OP_PROXY, PHASE_CHILD); add_exec_op(); }
static void proxy_twice(void) { add_op(OP_PROXY, PHASE_HOST); add_op(OP_PROXY, PHASE_HOST); add_exec_op(); }
static void stdio_3(void) { add_op(OP_FCHOWN, PHASE_CHILD)->num[0] = 3; add_exec_op(); }

static void open_creates(void)
{
	struct plan_op *op = add_op(OP_OPEN, PHASE_HOST);

	op->str[0] = add_string("/x");
	op->num[1] = O_CREAT;
	add_exec_op();
}

static void proc_climbs(void)
{
	struct plan_op *op = add_op(OP_WRITE_PROC, PHASE_PARENT);

	op->str[0] = add_string("../1/oom_score_adj");
	op->str[3] = add_bytes("0", 1);
	op->data_size = 1;
	add_exec_op();
}

static void mount_nowhere(void) { add_op(OP_MOUNT, PHASE_CHILD)->num[1] = (uint64_t)-1; add_exec_op(); }

static void mount_twice(void)
{
	add_op(OP_MOUNT, PHASE_CHILD)->str[3] = add_string("/mnt");
	add_exec_op();
}

static void bind_relative(void)
{
	struct plan_op *op = add_op(OP_MOUNT, PHASE_CHILD);

	op->str[0] = add_string("here");
	op->num[0] = MS_BIND;
	add_exec_op();
}

static void userns_slot_high(void)
{
	add_op(OP_MOUNT_SETATTR, PHASE_CHILD)->num[3] = SLOT_COUNT + 1;
	add_exec_op();
}

static void listener_lost(void)
{
	seccomp_filter();
	wire.op[0].num[0] = SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

static void filter_odd(void) { seccomp_filter(); wire.op[0].data_size = 12; }
static void filter_empty(void) { seccomp_filter(); wire.op[0].data_size = 0; }
static void filter_unaligned(void) { seccomp_filter(); wire.op[0].str[3] += 4; }
static void filter_out(void) { seccomp_filter(); wire.op[0].data_size = BLOB; }

static void filter_long(void)
{
	seccomp_filter();
	wire.op[0].data_size = 8 * 4097;
}

static void data_wraps(void)
{
	struct plan_op *op = add_op(OP_WRITE_FILE, PHASE_HOST);

	op->str[0] = add_string("/x");
	op->str[3] = 64;
	op->data_size = UINT32_MAX - 63;
	add_exec_op();
}

static void groups_odd(void)
{
	struct plan_op *op = add_op(OP_SETGROUPS, PHASE_CHILD);

	op->str[3] = add_bytes("12345", 5);
	op->data_size = 5;
	add_exec_op();
}

static void sched_attr_long(void)
{
	uint32_t attr[2] = { 48 };
	struct plan_op *op = add_op(OP_SCHED_SETATTR, PHASE_CHILD);

	op->str[3] = add_bytes(attr, sizeof(attr));
	op->data_size = sizeof(attr);
	add_exec_op();
}

static void exec_missing(void) { add_op(OP_SETSID, PHASE_CHILD); }
static void exec_twice(void) { add_exec_op(); add_exec_op(); }
static void exec_not_last(void) { add_exec_op(); add_op(OP_SETSID, PHASE_CHILD); }
static void exec_no_argv(void) { add_exec_op()->str[3] = add_exec(0, 1, 1, 2); }
static void exec_no_candidate(void) { add_exec_op()->str[3] = add_exec(1, 1, 0, 2); }
static void exec_lists_cut(void) { add_exec_op()->data_size = 20; }
static void exec_counts_wrap(void) { add_exec_op()->str[3] = add_exec(UINT32_MAX, UINT32_MAX, 3, 3); }
static void exec_counts_lie(void) { add_exec_op()->str[3] = add_exec(1, 2, 1, 3); }
static void exec_tolerates(void) { add_exec_op()->tolerate[0] = ENOENT; }

static void exec_string_out(void)
{
	uint32_t words[6] = { 1, 1, 1, 8, BLOB, 8 };

	add_exec_op()->str[3] = add_bytes(words, sizeof(words));
}

static void phases_unsorted(void)
{
	add_exec_op();
	add_op(OP_CLOSE, PHASE_HOST);
}

static void skip_leaves_phase(void) { add_op(OP_CLOSE, PHASE_HOST)->skip_ok = 1; add_exec_op(); }
static void skip_to_end(void) { add_op(OP_CLOSE, PHASE_HOST)->skip_ok = 1; add_op(OP_CLOSE, PHASE_HOST); add_exec_op(); }
static void skip_over_exec(void) { add_op(OP_SETSID, PHASE_CHILD)->skip_failed = 1; add_exec_op(); }

/* A request for an interface's index and a namespace. */
static struct plan_op *netlink_op(void)
{
	const uint32_t message[8] = { sizeof(message) };
	struct plan_op *op = add_op(OP_NETLINK, PHASE_PARENT);

	op->str[0] = add_string("eth0");
	op->str[3] = add_bytes(message, sizeof(message));
	op->data_size = sizeof(message);
	op->num[0] = 20;
	op->num[1] = 28;
	op->num[2] = (uint64_t)-1;
	add_exec_op();
	return op;
}

static void netlink_good(void) { netlink_op(); }
static void netlink_size_lies(void) { netlink_op()->data_size -= 4; }
static void netlink_header_only(void) { netlink_op()->data_size = 8; }
static void netlink_field_out(void) { netlink_op()->num[1] = 32; }
static void netlink_field_in_header(void) { netlink_op()->num[0] = 8; }
static void netlink_field_odd(void) { netlink_op()->num[0] = 22; }
static void netlink_unnamed(void) { netlink_op()->str[0] = 0; }
static void netlink_named_for_nothing(void) { netlink_op()->num[0] = (uint64_t)-1; }
static void netlink_name_long(void) { netlink_op()->str[0] = add_string("an-interface-name"); }
static void netlink_slot_for_nothing(void)
{
	struct plan_op *op = netlink_op();

	op->num[1] = (uint64_t)-1;
	op->num[2] = 3;
}

static struct plan_op *listener_op(void)
{
	struct plan_op *op = add_op(OP_SEND_LISTENER, PHASE_CHILD);

	op->str[0] = add_string("/run/agent");
	op->str[3] = add_bytes("{}", 2);
	op->data_size = 2;
	add_exec_op();
	return op;
}

static void listener_sent(void) { listener_op(); }
static void listener_nowhere(void) { listener_op()->str[0] = 0; }
static void listener_silent(void) { listener_op()->data_size = 0; }
static void listener_tolerates(void) { listener_op()->tolerate[0] = EPERM; }
static void listener_path_long(void)
{
	char path[128];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	listener_op()->str[0] = add_bytes(path, sizeof(path));
}

static void mempolicy_odd(void)
{
	struct plan_op *op = add_op(OP_SET_MEMPOLICY, PHASE_CHILD);

	op->str[3] = add_bytes("1234", 4);
	op->data_size = 4;
	add_exec_op();
}

static void mempolicy_default(void) { add_op(OP_SET_MEMPOLICY, PHASE_CHILD); add_exec_op(); }
static void check_fs_maybe(void) { add_op(OP_CHECK_FS, PHASE_CHILD)->num[2] = 2; add_exec_op(); }
static void init_twice(void) { add_op(OP_INIT, PHASE_CHILD); add_op(OP_INIT, PHASE_CHILD); add_exec_op(); }
static void pty_without_tty(void) { add_op(OP_OPEN_PTY, PHASE_CHILD); add_exec_op(); }

#define GOOD(plan) { #plan, plan, 0, REPORT_NO_OP }
#define BAD(plan) { #plan, plan, -EINVAL, REPORT_NO_OP }
#define BAD_OP(plan, op) { #plan, plan, -EINVAL, op }
#define BIG(plan, op) { #plan, plan, -E2BIG, op }

static const struct row {
	const char *name;
	void (*build)(void);
	int verdict;
	uint32_t op;
} rows[] = {
	GOOD(smallest), GOOD(every_phase), GOOD(terminal), GOOD(seccomp_filter), GOOD(mount_on_path),
	GOOD(skip_to_end),
	BAD(nothing), BAD(bad_magic), BAD(bad_version), BAD(bad_header_size), BAD(bad_total),
	BAD(ops_unaligned), BAD(ops_in_header), BAD(ops_past_end), BIG(ops_too_many, REPORT_NO_OP),
	BIG(ops_count_wraps, REPORT_NO_OP), BAD(blob_unaligned), BAD(blob_over_ops), BAD(blob_empty),
	BAD(blob_past_end), BAD(blob_wraps), BAD(blob_no_first_nul), BAD(blob_no_last_nul),
	BAD(flags_unknown), BAD(flags_tty_alone), BAD(flags_tty_unopened), BAD(flags_once_alone),
	BAD(flags_daemon_dies), BAD(clone_vm), BAD(clone_newcgroup), BAD(clone_newtime),
	BAD(cgroup_slot_low), BAD(cgroup_slot_high), BAD(inherited_many), BAD(fault_nowhere),
	BAD(fault_pid_negative), BAD(reserved_used), BAD(relay_string_out), BAD(relay_name_alone),
	BAD(relay_journal_headless), BAD(relay_exit_unaligned), BAD(relay_exit_out),
	BAD(relay_exit_cut), BAD(relay_name_slash), BAD(relay_name_long),
	BAD_OP(kind_zero, 0), BAD_OP(kind_unknown, 0), BAD_OP(phase_unknown, 0),
	BAD_OP(phase_wrong, 0), BAD_OP(proc_in_child, 0), BAD_OP(op_flags_unknown, 0),
	BAD_OP(op_reserved, 0), BAD_OP(operand_extra, 0), BAD_OP(string_extra, 0),
	BAD_OP(data_extra, 0), BAD_OP(string_out, 0), BAD_OP(string_missing, 0), BAD_OP(slot_high, 0),
	BAD_OP(slot_negative, 0), BAD_OP(number_wide, 0), BAD_OP(mode_wide, 0), BAD_OP(stdio_3, 0),
	BAD_OP(proxy_in_child, 0),
	BAD_OP(open_creates, 0), BAD_OP(proc_climbs, 0), BAD_OP(mount_nowhere, 0),
	BAD_OP(mount_twice, 0), BAD_OP(bind_relative, 0), BAD_OP(userns_slot_high, 0),
	BAD_OP(listener_lost, 0), BAD_OP(filter_odd, 0), BAD_OP(filter_empty, 0),
	BAD_OP(filter_unaligned, 0), BAD_OP(filter_out, 0), BAD_OP(data_wraps, 0),
	BIG(filter_long, 0), BAD_OP(groups_odd, 0), BAD_OP(sched_attr_long, 0), BAD(exec_missing),
	BAD_OP(exec_twice, 0), BAD_OP(exec_not_last, 0), BAD_OP(exec_no_argv, 0),
	BAD_OP(exec_no_candidate, 0), BAD_OP(exec_lists_cut, 0), BIG(exec_counts_wrap, 0),
	BAD_OP(exec_counts_lie, 0), BAD_OP(exec_tolerates, 0), BAD_OP(exec_string_out, 0),
	BAD_OP(phases_unsorted, 1), BAD_OP(skip_leaves_phase, 0), BAD_OP(skip_over_exec, 0),
	GOOD(netlink_good), GOOD(listener_sent), GOOD(mempolicy_default),
	BAD_OP(netlink_size_lies, 0), BAD_OP(netlink_header_only, 0), BAD_OP(netlink_field_out, 0),
	BAD_OP(netlink_field_in_header, 0), BAD_OP(netlink_field_odd, 0), BAD_OP(netlink_unnamed, 0),
	BAD_OP(netlink_named_for_nothing, 0), BAD_OP(netlink_name_long, 0),
	BAD_OP(netlink_slot_for_nothing, 0), BAD_OP(listener_nowhere, 0), BAD_OP(listener_silent, 0),
	BAD_OP(listener_tolerates, 0), BAD_OP(listener_path_long, 0), BAD_OP(mempolicy_odd, 0),
	BAD_OP(check_fs_maybe, 0),
	BAD(init_twice), BAD(proxy_twice), BAD_OP(pty_without_tty, 0),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void seed(const char *directory)
{
	for (size_t i = 0; i < ROWS; i++) {
		char path[4096];
		FILE *file;

		begin();
		rows[i].build();
		snprintf(path, sizeof(path), "%s/%s", directory, rows[i].name);
		file = fopen(path, "w");
		if (!file || fwrite(&wire, sizeof(wire), 1, file) != 1 || fclose(file) != 0) {
			perror(path);
			exit(1);
		}
	}
}

static int check(const struct row *row)
{
	struct plan plan;
	uint32_t op = 12345;
	int verdict;

	begin();
	row->build();
	/* A copy of exactly its size: the sanitizer sees any read past the end. */
	void *bytes = malloc(sizeof(wire));
	memcpy(bytes, &wire, sizeof(wire));
	verdict = plan_decode(bytes, sizeof(wire), &plan, &op);
	free(bytes);
	bool op_right = verdict == 0 || op == row->op;
	if (verdict == row->verdict && op_right)
		return 0;
	fprintf(stderr, "not ok %s: verdict %d at op %d, expected %d at op %d\n", row->name, verdict,
		(int)op, row->verdict, (int)row->op);
	return 1;
}

/* Every shorter piece of a good plan is refused, and read no further than it goes. */
static int check_cut(void)
{
	int wrong = 0;

	for (size_t size = 0; size < sizeof(wire); size++) {
		struct plan plan;
		uint32_t op;

		begin();
		every_phase();
		void *bytes = malloc(size + 1);
		memcpy(bytes, &wire, size);
		wrong += plan_decode(bytes, size, &plan, &op) != -EINVAL;
		free(bytes);
	}
	if (wrong)
		fprintf(stderr, "not ok cut: %d pieces of a plan were taken for whole\n", wrong);
	return wrong != 0;
}

static int check_unaligned(void)
{
	_Alignas(8) char bytes[sizeof(wire) + 1];
	struct plan plan;
	uint32_t op;

	begin();
	smallest();
	memcpy(bytes + 1, &wire, sizeof(wire));
	if (plan_decode(bytes + 1, sizeof(wire), &plan, &op) == -EINVAL)
		return 0;
	fprintf(stderr, "not ok unaligned: a plan at an odd address was taken\n");
	return 1;
}

static int check_phases(void)
{
	static const uint32_t expected[PHASE_COUNT + 1] = { 0, 2, 3, 5, 6 };
	struct plan plan;
	uint32_t op;

	begin();
	every_phase();
	if (plan_decode(&wire, sizeof(wire), &plan, &op) == 0 &&
	    memcmp(plan.phase_start, expected, sizeof(expected)) == 0 &&
	    plan_uses_slot(&plan, PHASE_HOST, 255) && !plan_uses_slot(&plan, PHASE_TEARDOWN, 255))
		return 0;
	fprintf(stderr, "not ok phases: the phases' bounds or slots are wrong\n");
	return 1;
}

int main(int argc, char **argv)
{
	int wrong = 0;

	if (argc == 3 && !strcmp(argv[1], "--seed")) {
		seed(argv[2]);
		return 0;
	}
	for (size_t i = 0; i < ROWS; i++)
		wrong += check(&rows[i]);
	wrong += check_cut() + check_unaligned() + check_phases();
	printf("plan_test: %zu of %zu ok\n", ROWS + 3 - (size_t)wrong, ROWS + 3);
	return wrong != 0;
}
