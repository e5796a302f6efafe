import type { PlannedOp, SlotAllocator } from "../plan/index.ts";
import type { OciLinux, OciNamespaceType } from "../spec/index.ts";
import type { NamespaceFacts } from "./facts.ts";
import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
import { planJoins } from "./plan-joins.ts";
import { planNames } from "./plan-names.ts";
import { planNetDevices } from "./plan-net-devices.ts";
import { planNewTime } from "./plan-time.ts";
import { planBecomeRoot, planIdMaps } from "./plan-user.ts";
import { type NamespaceRequests, parseNamespaces } from "./request.ts";

/** A launch's namespaces: what clone3 makes, and the requests around it. */
export interface NamespacePlan {
  /** CLONE_NEW* for clone3. */
  readonly cloneFlags: number;
  /** The host phase's last ops: a process that clones in the stage's place may begin with them. */
  readonly host: readonly PlannedOp[];
  readonly parent: readonly PlannedOp[];
  /** The child's first ops. */
  readonly child: readonly PlannedOp[];
}

/**
 * Throws INVALID_SPEC, naming the field, for namespaces, maps, offsets or names that contradict
 * each other or that the kernel would refuse. namespaces(7); OCI config-linux.md, "Namespaces".
 */
export function planNamespaces({
  linux: { namespaces, uidMappings = [], gidMappings = [], timeOffsets, netDevices = {} },
  hostname,
  domainname,
  facts,
  slots,
}: {
  readonly linux: Pick<
    OciLinux,
    "namespaces" | "uidMappings" | "gidMappings" | "timeOffsets" | "netDevices"
  >;
  readonly hostname?: string | undefined;
  readonly domainname?: string | undefined;
  readonly facts: NamespaceFacts;
  readonly slots: SlotAllocator;
}): NamespacePlan {
  const requests = parseNamespaces(namespaces, facts);
  const { user } = requests;
  const joins = planJoins(requests, slots);
  const { network } = requests;
  const devices = planNetDevices(netDevices, { network, joined: joins.network, facts });
  const enter = [...planNewTime(requests.time, timeOffsets), ...joins.enter];
  return {
    cloneFlags: cloneFlags(requests),
    host: [...joins.open, ...planProxy(enter)],
    parent: [
      ...planIdMaps(user, { uidMappings, gidMappings }, facts.mayMapAnyId),
      ...devices.parent,
    ],
    child: [
      ...joins.child,
      ...(user.kind === "own" ? [] : planBecomeRoot(user.origin)),
      ...planNewCgroup(requests),
      ...planLoopback(requests),
      ...devices.child,
      ...planNames(requests.uts, { hostname, domainname }),
    ],
  };
}

/**
 * What has to be joined or unshared before the clone would stay with the stage, which lives as long
 * as the container and works for tsrun: it leaves that to a process that only clones.
 */
function planProxy(enter: readonly PlannedOp[]): readonly PlannedOp[] {
  if (enter.length === 0) return [];
  return [{ op: { kind: "proxy" }, phase: "host", origin: "linux.namespaces" }, ...enter];
}

/** Not made by clone3: time (clone(2) has no flag for it) and cgroup (see `planNewCgroup`). */
const NOT_CLONED: readonly OciNamespaceType[] = ["time", "cgroup"];

function cloneFlags(requests: NamespaceRequests): number {
  return NAMESPACE_TYPES.filter(
    (type) => requests[type].kind === "new" && !NOT_CLONED.includes(type),
  ).reduce((flags, type) => flags | NAMESPACE_KINDS[type].flag, 0);
}

/**
 * A new cgroup namespace's root is its maker's cgroup at that moment. clone3 makes namespaces
 * before it moves the child (CLONE_INTO_CGROUP), so the root would be the stage's cgroup; the child
 * asks when it has arrived.
 */
function planNewCgroup({ cgroup }: NamespaceRequests): readonly PlannedOp[] {
  if (cgroup.kind !== "new") return [];
  const flags = NAMESPACE_KINDS.cgroup.flag;
  return [{ op: { kind: "unshare", flags }, phase: "child", origin: cgroup.origin }];
}

/** A new network namespace has one interface, `lo`, and it is down. */
function planLoopback({ network }: NamespaceRequests): readonly PlannedOp[] {
  if (network.kind !== "new") return [];
  return [{ op: { kind: "linkUp", name: "lo" }, phase: "child", origin: network.origin }];
}
