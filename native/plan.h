/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h: the wire format between TypeScript (src/plan/encode.ts) and tsrun-stage.
 *
 * A plan is one block of bytes: header, ops, blob. It is compiled by TypeScript, handed over in a
 * sealed memfd, checked whole by plan.c before anything is done, and then carried out as it stands.
 * All integers are little endian (both supported architectures are); every offset is from the start
 * of the blob, and the blob's first and last byte are NUL, so offset 0 is the empty string and every
 * offset inside the blob is a terminated string.
 *
 * The numbers here are repeated in src/plan/abi.ts; test/native/abi.test.ts compares the two.
 */
#ifndef TSRUN_PLAN_H
#define TSRUN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x4e555254u /* "TRUN" */
#define PLAN_VERSION 1u

/* File descriptors that the stage is started with. */
enum {
	FD_PLAN = 3,            /* the sealed memfd with the plan */
	FD_CONTROL = 4,         /* a stream socket: reports go out, one-byte commands come in */
	FD_CLIENT = 5,          /* the first attach client (PLAN_RELAY_CLIENT), else unused */
	FD_INHERITED = 6,       /* header.inherited_fds descriptors from here on become slots 0, 1, … */
};

#define SLOT_COUNT 256
#define SLOT_CWD (-1)           /* as a directory: AT_FDCWD */

/* header.flags */
enum {
	PLAN_DAEMON = 1 << 0,           /* leave the caller: new session, parent is init or the subreaper */
	PLAN_DIE_WITH_PARENT = 1 << 1,  /* SIGKILL to the stage when its caller dies (foreground runs) */
	PLAN_CHILD_DIES_WITH_STAGE = 1 << 2, /* SIGKILL to the container's init when the stage dies */
	PLAN_RELAY = 1 << 3,            /* the stage owns the container's stdio and serves attach clients */
	PLAN_TTY = 1 << 4,              /* stdio is a PTY, opened by OP_OPEN_PTY in the child */
	PLAN_STDIN = 1 << 5,            /* keep stdin open for clients; without it the container reads EOF */
	PLAN_STDIN_ONCE = 1 << 6,       /* close stdin when the first client that could write has gone */
	PLAN_RELAY_CLIENT = 1 << 7,     /* FD_CLIENT is an attach client from the start */
	PLAN_HOLD_MOUNTS = 1 << 8,      /* keep the child's mount namespace until the exit is reported */
	PLAN_TIMINGS = 1 << 9,          /* send a REPORT_PHASE at each phase's end */
	PLAN_LEAVE = 1 << 10,           /* end when the child waits at OP_AWAIT_START or has executed its program: nobody
					 * of ours stays, and the child is the nearest subreaper's */
};

/* When an op runs, and in which process. Ops are sorted by phase. */
enum plan_phase {
	PHASE_HOST = 0,         /* the stage, before clone */
	PHASE_PARENT = 1,       /* the stage, after clone; the child waits meanwhile */
	PHASE_CHILD = 2,        /* the child, up to and including OP_EXEC */
	PHASE_TEARDOWN = 3,     /* the stage, after the child's exit or a failed launch */
	PHASE_COUNT = 4,
};

/* Every kind's operands: n = num[], s = str[] (blob offsets), data = str[3] with data_size. "slot" is
 * an index into the stage's descriptor table, which the child inherits by clone. */
enum op_kind {
	OP_MKDIR = 1,           /* s0 path, n0 mode */
	OP_RMDIR = 2,           /* s0 path, n0 milliseconds to retry while EBUSY */
	OP_UNLINK = 3,          /* s0 path */
	OP_WRITE_FILE = 4,      /* s0 path, data; n0 directory slot or SLOT_CWD, n1 open flags (O_WRONLY added) */
	OP_WRITE_PROC = 5,      /* s0 name below /proc/CHILD/, data (parent phase: uid_map, …) */
	OP_OPEN = 6,            /* s0 path, n0 directory slot, n1 flags, n2 slot out */
	OP_OPENAT2 = 7,         /* s0 path, n0 directory slot, n1 flags|mode<<32, n2 resolve, n3 slot out */
	OP_CLOSE = 8,           /* n0 slot */
	OP_SETNS = 9,           /* n0 slot, n1 CLONE_NEW* flags */
	OP_UNSHARE = 10,        /* n0 CLONE_NEW* flags */
	OP_BPF_PROG_LOAD = 11,  /* data instructions, n0 program type, n1 expected attach type, n2 slot out */
	OP_BPF_PROG_ATTACH = 12,/* n0 program slot, n1 target slot, n2 attach type, n3 flags */
	OP_MOUNT = 13,          /* s0 source, s1 file system type, s2 options, s3 target path; n0 MS_* flags, n1 target slot or SLOT_CWD (then s3) */
	OP_UMOUNT = 14,         /* s0 path, n0 flags */
	OP_OPEN_TREE = 15,      /* s0 path, n0 directory slot, n1 flags, n2 slot out */
	OP_MOUNT_SETATTR = 16,  /* n0 slot, n1 AT_* flags, n2 attr_set<<32|attr_clr, n3 propagation<<32|userns slot+1 */
	OP_MOVE_MOUNT = 17,     /* n0 from slot, n1 to slot, or s0 a path where n1 is SLOT_CWD */
	OP_FSOPEN = 18,         /* s0 file system type, n0 slot out */
	OP_FSCONFIG = 19,       /* n0 slot, n1 command, s0 key, s1 value, n2 value slot or -1 */
	OP_FSMOUNT = 20,        /* n0 fs slot, n1 MOUNT_ATTR_* flags, n2 slot out */
	OP_MKDIR_BELOW = 21,    /* s0 path, n0 root slot, n1 mode: all missing components, symlinks resolved below the root; with S_IFREG the last is an empty file */
	OP_MKNOD = 22,          /* s0 name, n0 directory slot, n1 mode, n2 dev_t */
	OP_SYMLINK = 23,        /* s0 target, s1 name, n0 directory slot */
	OP_CHOWN = 24,          /* s0 name, n0 directory slot, n1 uid, n2 gid; no symlink is followed */
	OP_FCHDIR = 25,         /* n0 slot */
	OP_CHDIR = 26,          /* s0 path */
	OP_PIVOT_ROOT = 27,     /* s0 new root, s1 put old */
	OP_CHROOT = 28,         /* s0 path (with --no-pivot, and on the way back from another mount namespace) */
	OP_SETHOSTNAME = 29,    /* s0 name */
	OP_SETDOMAINNAME = 30,  /* s0 name */
	OP_LINK_UP = 31,        /* s0 interface name */
	OP_PRLIMIT = 32,        /* n0 resource, n1 soft, n2 hard */
	OP_PRCTL = 33,          /* n0 option, n1..n3 arguments 2 to 4 */
	OP_SETGROUPS = 34,      /* data: uint32 gids */
	OP_SETRESGID = 35,      /* n0 gid for all three */
	OP_SETRESUID = 36,      /* n0 uid for all three */
	OP_BOUNDING_SET = 37,   /* n0 mask: every capability outside it is dropped from the bounding set */
	OP_CAPSET = 38,         /* n0 effective, n1 permitted, n2 inheritable */
	OP_AMBIENT_SET = 39,    /* n0 mask; the others are cleared */
	OP_UMASK = 40,          /* n0 mask */
	OP_PERSONALITY = 41,    /* n0 persona */
	OP_SCHED_SETAFFINITY = 42, /* data: cpu mask */
	OP_SCHED_SETATTR = 43,  /* data: struct sched_attr */
	OP_IOPRIO_SET = 44,     /* n0 ioprio */
	OP_SECCOMP = 45,        /* data: struct sock_filter[], n0 SECCOMP_FILTER_FLAG_*, n1 listener slot or -1 */
	OP_KEYRING = 46,        /* s0 name or "" for anonymous: keyctl(KEYCTL_JOIN_SESSION_KEYRING) */
	OP_SETSID = 47,         /* */
	OP_OPEN_PTY = 48,       /* n0 devpts directory slot (of the container), n1 rows<<32|cols, n2 slave slot out; the master goes to the stage, or with the message s0 into the Unix socket of slot n3 (else -1) */
	OP_STDIO_PTY = 49,      /* n0 slave slot: becomes the controlling terminal and descriptors 0, 1, 2 */
	OP_HOLD = 50,           /* report CREATED and wait for CONTROL_GO; any number of times */
	OP_CLOSE_RANGE = 51,    /* n0 first descriptor: everything from it on gets close-on-exec */
	OP_INIT = 52,           /* fork: the caller stays as a reaping, forwarding PID 1, the child goes on with the next op */
	OP_EXEC = 53,           /* data: struct exec_lists; the candidates are tried in turn on ENOENT/ENOTDIR/EACCES */
	OP_FCHOWN = 54,         /* n0 descriptor 0, 1 or 2, n1 uid, n2 gid */
	OP_PROXY = 55,          /* fork: the host ops that follow and clone3 are the new process's, which ends then;
	                         * what it joins, the stage does not. The child is the stage's (CLONE_PARENT) */
	OP_AWAIT_START = 56,    /* report WAITING, then read one byte from n0, a slot with a FIFO (opened for both ways);
	                         * what fails after that is written to n1 as a report: op_index, error, value: the op's kind */
	OP_FIND_EXEC = 57,      /* whether OP_EXEC will find something that may be executed */
	OP_KEEP_FDS = 58,       /* n0 first slot, n1 count: they become descriptors 3, 4, … and stay open on exec */
	OP_SET_MEMPOLICY = 59,  /* n0 mode and MPOL_F_*, data: node mask, of no bytes for none */
	OP_NETLINK = 60,        /* data: one rtnetlink request; what the kernel answers is the result.
	                         * s0 interface whose index goes to offset n0 of the data (or n0 is -1),
	                         * n1 offset of the network namespace (or -1): descriptor of slot n2, or the child's pid (n2 -1) */
	OP_SEND_LISTENER = 61,  /* n0 slot of a seccomp listener, s0 path of a listening Unix socket, data: what is sent
	                         * with it, the child's pid in place of each NUL. The stage connects and sends */
	OP_CHECK_FS = 62,       /* n0 slot, n1 magic number of statfs(2), n2 1: must be that file system, 0: must not. EXDEV */
	OP_CHECK_CWD = 63,      /* the working directory has a path below the root, else EXDEV (CVE-2024-21626) */
	OP_CLOSE_SLOTS = 64,    /* every slot but n0 and n1 (or -1) is closed */
	OP_CHECK_NODE = 65,     /* s0 name, n0 directory slot, n1 mode of which the type counts, n2 dev_t: what is there is
	                         * that node, else EEXIST; no symlink is followed */
	OP_KIND_END
};

enum { OP_FLAG_WARN = 1 };      /* a tolerated failure is sent as REPORT_WARNED */

struct plan_op {
	uint16_t kind;          /* enum op_kind */
	uint8_t phase;          /* enum plan_phase */
	uint8_t flags;          /* OP_FLAG_* */
	uint8_t skip_ok;        /* after success, skip this many ops */
	uint8_t skip_failed;    /* after a tolerated failure, skip this many ops */
	uint16_t tolerate[2];   /* errnos that are no failure, 0 for none */
	uint16_t reserved;
	uint32_t data_size;     /* bytes at str[3], which is 8-aligned then */
	uint64_t num[4];
	uint32_t str[4];
};
_Static_assert(sizeof(struct plan_op) == 64, "plan_op is 64 bytes on the wire");

/* OP_EXEC's data: three counts, then argv, envp and candidate paths as blob offsets. */
struct exec_lists {
	uint32_t argc, envc, candidates;
	uint32_t offset[];
};

/* What the supervisor does besides waiting. Strings are blob offsets, 0 where unused. */
struct plan_relay {
	uint32_t log_path;      /* CRI log format; "" writes none */
	uint32_t log_max_files; /* rotated files kept beside the current one (log_path.1, .2, …) */
	uint64_t log_max_size;  /* bytes before it rotates, 0 never */
	uint32_t socket_dir;    /* directory and name of the listening attach socket; "" serves none */
	uint32_t socket_name;
	uint32_t exit_path;     /* the exit record, written to exit_path.tmp and renamed */
	uint32_t journal_path;  /* events, one JSON object a line, appended with one write */
	uint32_t journal_head;  /* the line's beginning up to the comma, e.g. {"id":"…","name":"…" */
	uint32_t memory_events; /* path of the cgroup's memory.events; polled for oom_kill */
	uint32_t exit_command;  /* blob offset of a struct exec_lists (8-aligned), 0 for none; not run when
				 * the client of PLAN_RELAY_CLIENT is still there and is told the exit */
	uint16_t rows, cols;    /* the first window size of a PTY */
	uint32_t exit_drain_ms; /* how long stdio is still read after the exit while others hold it open */
};
_Static_assert(sizeof(struct plan_relay) == 56, "plan_relay is 56 bytes on the wire");

struct plan_header {
	uint32_t magic;
	uint16_t version;
	uint16_t header_size;
	uint32_t total_size;
	uint32_t flags;
	uint32_t op_count;
	uint32_t ops_offset;    /* from the start of the plan, 8-aligned */
	uint32_t blob_offset;   /* from the start of the plan, 8-aligned */
	uint32_t blob_size;
	uint64_t clone_flags;   /* CLONE_NEW* for clone3 */
	int32_t cgroup_slot;    /* CLONE_INTO_CGROUP, or -1 */
	uint32_t inherited_fds;
	uint32_t fault_op;      /* fault injection: before this op … UINT32_MAX for none */
	uint32_t fault_pid;     /* … SIGKILL goes to this pid, or to the stage itself for 0 */
	struct plan_relay relay;
	uint8_t reserved[16];
};
_Static_assert(sizeof(struct plan_header) == 128, "plan_header is 128 bytes on the wire");

/* Reports on FD_CONTROL, stage → TypeScript. */
enum report_kind {
	REPORT_FAILED = 1,      /* op_index, error: errno; the stage has undone what it holds and exits */
	REPORT_WARNED = 2,      /* op_index, error: a tolerated failure of an op with OP_FLAG_WARN */
	REPORT_CREATED = 3,     /* value: the child's pid in the stage's pid namespace; waits at OP_HOLD */
	REPORT_RUNNING = 4,     /* value: pid; execve succeeded */
	REPORT_EXITED = 5,      /* error: CLD_EXITED, CLD_KILLED or CLD_DUMPED, value: status or signal */
	REPORT_PHASE = 6,       /* op_index: enum report_phase, time_ns */
	REPORT_SUPERVISOR = 7,  /* value: the pid of the daemonised supervisor */
	REPORT_WAITING = 8,     /* value: pid; the child is at OP_AWAIT_START and on its own */
};
#define REPORT_NO_OP 0xffffffffu /* op_index of a failure that belongs to no op: clone3, a malformed plan */

enum report_phase { MARK_START = 0, MARK_HOST = 1, MARK_CLONED = 2, MARK_CHILD = 3, MARK_EXEC = 4, MARK_EXIT = 5 };

struct report {
	uint32_t kind;
	uint32_t op_index;
	int32_t error;
	int32_t value;
	uint64_t time_ns;       /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct report) == 24, "report is 24 bytes on the wire");

/* Commands on FD_CONTROL, TypeScript → stage. End of file before CONTROL_GO undoes the launch. */
enum { CONTROL_GO = 'G' };

/* Frames on an attach socket, both ways: this header, then length bytes. */
struct relay_frame {
	uint8_t type;           /* enum relay_type */
	uint8_t reserved[3];
	uint32_t length;        /* at most RELAY_MAX_PAYLOAD */
};
_Static_assert(sizeof(struct relay_frame) == 8, "relay_frame is 8 bytes on the wire");
#define RELAY_MAX_PAYLOAD 8192u

enum relay_type {
	RELAY_STDOUT = 1,       /* supervisor → client */
	RELAY_STDERR = 2,
	RELAY_EXIT = 3,         /* int32 code (CLD_*), int32 status; the last frame. A descriptor comes with it, only to be closed */
	RELAY_BUSY = 4,         /* too many clients are attached; the only frame */
	RELAY_STDIN = 16,       /* client → supervisor; length 0 closes stdin */
	RELAY_RESIZE = 17,      /* uint16 rows, uint16 cols */
	RELAY_LEAVE = 18,       /* closes the client; the supervisor lives on when its caller dies or hangs up */
};

#endif
