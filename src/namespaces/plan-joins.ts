/**
 * Joining the namespaces that a specification names by path: who calls setns(2), and when.
 */
import type { PlannedOp, Slot, SlotAllocator } from "../plan/index.ts";
import type { OciNamespaceType } from "../spec/index.ts";
import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
import { openReadOnly, setns } from "./ops.ts";
import type { NamespaceRequest, NamespaceRequests } from "./request.ts";

interface Join {
  readonly type: OciNamespaceType;
  readonly path: string;
  readonly origin: string;
  readonly slot: Slot;
}

export interface JoinOps {
  /** Where the file of a joined network namespace is. */
  readonly network: Slot | undefined;
  /** The stage's. */
  readonly open: readonly PlannedOp[];
  /** For a process that clones the child in the stage's place (the `proxy` op). */
  readonly enter: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
}

/**
 * setns(2) wants CAP_SYS_ADMIN in the user namespace that owns the target, so it matters who asks:
 *
 * - The container stays in tsrun's user namespace: the child joins everything itself, but for the
 *   pid namespace, which counts for children alone.
 * - A new user namespace: the child has no rights over anything outside it (a network namespace
 *   that the engine prepared, say), so all is joined before the clone.
 * - A joined user namespace: what is new must belong to it, so it is joined before the clone too,
 *   after everything else, because from there is no way back to tsrun's rights.
 *
 * The cgroup namespace is left to the child wherever that has the right: the kernel checks
 * CLONE_INTO_CGROUP with the caller's (cgroup-v2.rst, "nsdelegate").
 */
export function planJoins(requests: NamespaceRequests, slots: SlotAllocator): JoinOps {
  const joins = NAMESPACE_TYPES.flatMap((type): Join[] => {
    const request = requests[type];
    if (request.kind !== "joined") return [];
    return [{ type, path: request.path, origin: request.origin, slot: slots.take() }];
  });
  const before = joins.filter(({ type }) => joinedBeforeClone(type, requests.user));
  const byChild = joins.filter((join) => !before.includes(join));
  return {
    network: joins.find(({ type }) => type === "network")?.slot,
    open: joins.map(({ path, slot, origin }) =>
      openReadOnly(path, slot, { phase: "host", origin }),
    ),
    enter: before.map((join) => joinOp(join, "host")),
    child: byChild.map((join) => joinOp(join, "child")),
  };
}

function joinedBeforeClone(type: OciNamespaceType, user: NamespaceRequest): boolean {
  switch (type) {
    case "pid":
    case "user":
      return true;
    case "cgroup":
      return user.kind === "new";
    default:
      return user.kind !== "own";
  }
}

function joinOp({ type, slot, origin }: Join, phase: "host" | "child"): PlannedOp {
  return {
    ...setns(slot, NAMESPACE_KINDS[type].flag, { phase, origin }),
    hint: `EINVAL: the file is no ${type} namespace. EPERM: it belongs to a user namespace in which tsrun has no CAP_SYS_ADMIN.`,
  };
}
