/**
 * Joining the namespaces that a specification names by path: who calls setns(2), and when.
 */
import { TsrunError } from "../base/errors.ts";
import type { PlannedOp, Slot, SlotAllocator } from "../plan/index.ts";
import type { OciNamespaceType } from "../spec/index.ts";
import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
import { openReadOnly, setns } from "./ops.ts";
import type { NamespaceRequest, NamespaceRequests } from "./request.ts";

interface Join {
  readonly type: OciNamespaceType;
  readonly origin: string;
  readonly slot: Slot;
}

export interface JoinOps {
  readonly open: readonly PlannedOp[];
  /** The stage's last requests before the clone. */
  readonly enter: readonly PlannedOp[];
  /** The stage's way back, after the clone. */
  readonly leave: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
}

/**
 * setns(2) wants CAP_SYS_ADMIN in the user namespace that owns the target. So it matters who asks:
 *
 * - The container stays in tsrun's user namespace: the child joins everything itself. Only a pid
 *   namespace is joined by the stage, because it counts for children alone.
 * - A new user namespace: the child has no privileges over anything outside it (a network namespace
 *   that the engine prepared, say), so the stage joins, the child inherits, the stage goes back.
 * - A joined user namespace: what is new must belong to it, so the stage joins it before the clone,
 *   after everything else. From there is no way back, and the stage stays in what it joined. The
 *   mount and the cgroup namespace are left to the child: the stage's paths, and the kernel's check
 *   of CLONE_INTO_CGROUP, need tsrun's own.
 *
 * Throws INVALID_SPEC for a joined mount namespace with a new user namespace.
 */
export function planJoins(requests: NamespaceRequests, slots: SlotAllocator): JoinOps {
  if (requests.user.kind === "new" && requests.mount.kind === "joined") {
    const { origin } = requests.mount;
    throw new TsrunError(
      "INVALID_SPEC",
      `${origin}: a new user namespace has no rights in a mount namespace that exists already`,
      { origin, hint: "Join the user namespace that the mount namespace belongs to as well." },
    );
  }
  const joins = NAMESPACE_TYPES.flatMap((type): Join[] => {
    const request = requests[type];
    return request.kind === "joined" ? [{ type, origin: request.origin, slot: slots.take() }] : [];
  });
  const byStage = joins.filter(({ type }) => joinedByStage(type, requests.user));
  const byChild = joins.filter((join) => !byStage.includes(join));
  const visits = requests.user.kind === "joined" ? [] : byStage.map(({ type }) => type);
  if (requests.time.kind === "new" && requests.user.kind !== "joined") visits.push("time");
  const ways = visits.map((type) => planReturn(type, slots));
  return {
    open: [
      ...joins.map((join) => openJoined(join, requests[join.type])),
      ...ways.map(({ open }) => open),
    ],
    enter: byStage.map((join) => joinOp(join, "host")),
    leave: ways.map(({ leave }) => leave),
    child: byChild.map((join) => joinOp(join, "child")),
  };
}

function joinedByStage(type: OciNamespaceType, user: NamespaceRequest): boolean {
  if (type === "pid" || type === "user") return true;
  switch (user.kind) {
    case "own":
      return false;
    case "new":
      return true;
    case "joined":
      return type !== "mount" && type !== "cgroup";
  }
}

/**
 * The stage's way back into a namespace of its own. Whatever it starts later (an exit command, say)
 * belongs to tsrun's namespaces, not to the container's.
 */
export function planReturn(
  type: OciNamespaceType,
  slots: SlotAllocator,
): { readonly open: PlannedOp; readonly leave: PlannedOp } {
  const { procName, flag } = NAMESPACE_KINDS[type];
  const slot = slots.take();
  const origin = "linux.namespaces";
  return {
    open: openReadOnly(`/proc/self/ns/${procName}`, slot, { phase: "host", origin }),
    leave: setns(slot, flag, { phase: "parent", origin }),
  };
}

function openJoined({ slot, origin }: Join, request: NamespaceRequest): PlannedOp {
  if (request.kind !== "joined") throw new Error("only a joined namespace has a path");
  return openReadOnly(request.path, slot, { phase: "host", origin });
}

function joinOp({ type, slot, origin }: Join, phase: "host" | "child"): PlannedOp {
  return {
    ...setns(slot, NAMESPACE_KINDS[type].flag, { phase, origin }),
    hint: `EINVAL: the file is no ${type} namespace. EPERM: it belongs to a user namespace in which tsrun has no CAP_SYS_ADMIN.`,
  };
}
