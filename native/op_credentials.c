// SPDX-License-Identifier: Apache-2.0
/* op_credentials.c: whom the process acts for and what it may, credentials(7). */
#include "op_kinds.h"

#include <sys/prctl.h>

#include <linux/capability.h>

#include "syscalls.h"

/* Only what is there needs a privilege to drop: PR_CAPBSET_READ is EINVAL past the last capability. */
static int keep_bounding_set(uint64_t mask)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		long held = sys_prctl(PR_CAPBSET_READ, cap, 0, 0);

		if (held < 0)
			break;
		if (held && !(mask >> cap & 1)) {
			long dropped = sys_prctl(PR_CAPBSET_DROP, cap, 0, 0);

			if (dropped < 0)
				return (int)dropped;
		}
	}
	return 0;
}

static int set_ambient(uint64_t mask)
{
	long done = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);

	for (unsigned int cap = 0; cap < 64 && done >= 0; cap++)
		if (mask >> cap & 1)
			done = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0);
	return (int)done;
}

static int set_capabilities(const struct plan_op *op)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	for (int half = 0; half < 2; half++) {
		sets[half].effective = (uint32_t)(op->num[0] >> 32 * half);
		sets[half].permitted = (uint32_t)(op->num[1] >> 32 * half);
		sets[half].inheritable = (uint32_t)(op->num[2] >> 32 * half);
	}
	return (int)result(syscall(SYS_capset, &header, sets));
}

int apply_credential_op(struct context *context, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_PRCTL: {
		/* Some options return a value; only a failure is of interest. */
		long done = sys_prctl((int)op->num[0], op->num[1], op->num[2], op->num[3]);
		return done < 0 ? (int)done : 0;
	}
	case OP_SETGROUPS:
		return (int)result(syscall(SYS_setgroups, op->data_size / 4, op_data(context, op)));
	case OP_SETRESGID:
		return (int)result(syscall(SYS_setresgid, op->num[0], op->num[0], op->num[0]));
	case OP_SETRESUID:
		return (int)result(syscall(SYS_setresuid, op->num[0], op->num[0], op->num[0]));
	case OP_BOUNDING_SET:
		return keep_bounding_set(op->num[0]);
	case OP_CAPSET:
		return set_capabilities(op);
	case OP_AMBIENT_SET:
		return set_ambient(op->num[0]);
	case OP_KEYRING: {
		long serial = sys_keyctl_join(op_string_or_null(context, op, 0));
		return serial < 0 ? (int)serial : 0;
	}
	default:
		return -ENOSYS;
	}
}
