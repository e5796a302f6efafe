import type { Slot, SlotAllocator } from "../plan/index.ts";
import type { OciNamespaceType } from "../spec/index.ts";
import type { NamespaceIds } from "./facts.ts";
import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
import { openReadOnly, setns } from "./ops.ts";
import type { NamespacePlan } from "./plan.ts";
import { planBecomeRoot } from "./plan-user.ts";

const ORIGIN = "linux.namespaces";

/**
 * Joins a running container: everything that process `pidfd` is in and tsrun is not.
 *
 * The child joins all but the pid namespace with one setns(2): the kernel checks the privileges for
 * each against the caller's credentials before it changes any of them, so it does not matter who
 * owns which. And it does so after clone3, because CLONE_INTO_CGROUP is checked with the caller's
 * credentials and cgroup namespace. A dead process is ESRCH.
 */
export function planExecJoin({
  pidfd,
  target,
  own,
  slots,
}: {
  /** pidfd_open(2) of the container's init, as an inherited descriptor. */
  readonly pidfd: Slot;
  readonly target: NamespaceIds;
  readonly own: NamespaceIds;
  readonly slots: SlotAllocator;
}): NamespacePlan {
  // setns(2) refuses a process's own user namespace with EINVAL, so only what differs is asked for.
  const types = NAMESPACE_TYPES.filter((type) => target[type] !== own[type]);
  const pid = types.includes("pid") ? planPidJoin(pidfd, slots) : undefined;
  const flags = flagsOf(types.filter((type) => type !== "pid"));
  return {
    cloneFlags: 0,
    host: pid?.host ?? [],
    parent: pid?.parent ?? [],
    child: [
      ...(flags === 0 ? [] : [setns(pidfd, flags, { phase: "child", origin: ORIGIN })]),
      ...(types.includes("user") ? planBecomeRoot(ORIGIN) : []),
    ],
  };
}

/**
 * A pid namespace counts for the children of the one who joins it: the stage goes in, clones and
 * goes back, which is a tenth of a proxy's cost and possible as long as tsrun's rights are kept.
 */
function planPidJoin(pidfd: Slot, slots: SlotAllocator): Pick<NamespacePlan, "host" | "parent"> {
  const own = slots.take();
  const { flag } = NAMESPACE_KINDS.pid;
  const inHost = { phase: "host", origin: ORIGIN } as const;
  return {
    host: [openReadOnly("/proc/self/ns/pid", own, inHost), setns(pidfd, flag, inHost)],
    parent: [setns(own, flag, { phase: "parent", origin: ORIGIN })],
  };
}

function flagsOf(types: readonly OciNamespaceType[]): number {
  return types.reduce((flags, type) => flags | NAMESPACE_KINDS[type].flag, 0);
}
