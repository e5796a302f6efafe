/* SPDX-License-Identifier: Apache-2.0 */
/* plan_forms.h: the form of an op, by its kind: where it may come, and what its operands must be. */
#ifndef TSRUN_PLAN_FORMS_H
#define TSRUN_PLAN_FORMS_H

#include <stdint.h>

#include "plan.h"

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

/* What its data must be. */
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

/* In which phases it may come. */
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

/* By enum op_kind. */
extern const struct form plan_forms[OP_KIND_END];

#endif
