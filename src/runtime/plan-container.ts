/**
 * An OCI specification and what was seen of the host, compiled into one launch plan. The mechanism
 * folders each plan their part; this file only puts the parts in the order that the kernel needs.
 */
import { posix } from "node:path";
import { type CgroupFacts, type CgroupOwner, planCgroup, planRdt } from "../cgroups/index.ts";
import { foreignNamespaces, planNamespaces, toHostId } from "../namespaces/index.ts";
import {
  type LaunchPlan,
  type PlannedOp,
  type RelayPlan,
  type Slot,
  SlotAllocator,
} from "../plan/index.ts";
import { planRootfs, type RootfsPlan } from "../rootfs/index.ts";
import { planGrants } from "../security/index.ts";
import type { OciProcess, OciSpec, RootMount } from "../spec/index.ts";
import type { HostFacts } from "./facts.ts";
import { planLabels } from "./plan-labels.ts";
import { type ListenerState, planListener } from "./plan-listener.ts";
import { planMemoryPolicy } from "./plan-memory-policy.ts";
import { type ProcessPlanOptions, planProcess, relayedStdio } from "./plan-process.ts";
import { planAffinity, planPersonality } from "./plan-scheduling.ts";
import type { Prepared } from "./prepare.ts";

export interface ContainerLaunch {
  readonly id: string;
  /** Where its specification is, as a seccomp agent is told. */
  readonly bundle?: string;
  readonly root: RootMount;
  /** An empty host directory on which the root is assembled, in the container's mount namespace only. */
  readonly mountPoint: string;
  /** What was made before the launch and is handed over (prepare.ts). */
  readonly prepared: Prepared;
  /** A list of CPUs for the first process; OCI's process.execCPUAffinity is for further ones only. */
  readonly cpuAffinity?: string;
  /** Stop before exec and wait to be released (the "created" state). */
  readonly hold: boolean;
  readonly init: boolean;
  /** Outlive the caller: the stage becomes the container's supervisor. */
  readonly daemon: boolean;
  /** For engines, which look after the container themselves. */
  readonly handOver?: HandOver;
  readonly relay?: RelayPlan;
  readonly timings?: boolean;
  readonly fault?: LaunchPlan["fault"];
}

/** A container for an engine: what it gets of the engine's descriptors, and how it waits for its start. */
export interface HandOver {
  /** The stage leaves it alone with this; without it the stage stays (a run in the foreground). */
  readonly awaitStart?: { readonly start: Slot; readonly result: Slot };
  readonly consoleSlot?: Slot;
  readonly keepFds?: { readonly first: Slot; readonly count: number };
  /** Which of 0, 1 and 2 are given to the process's user. */
  readonly ownStdio: readonly number[];
  /** Hold once before the root is entered, too: for the hooks that belong there. */
  readonly holdForHooks: boolean;
  /** Do without pivot_root(2), where the host's own root is the initial ramfs. */
  readonly noPivot: boolean;
  /** Stay in the caller's session keyring. */
  readonly noNewKeyring: boolean;
}

/** Pure: what it says depends on its arguments alone. Throws INVALID_SPEC and CGROUP_UNAVAILABLE. */
export function planContainer(
  spec: OciSpec,
  launch: ContainerLaunch,
  facts: HostFacts,
): LaunchPlan {
  const { linux } = spec;
  const { prepared, handOver } = launch;
  const slots = new SlotAllocator(prepared.inherit.length);
  const namespaces = planNamespaces({
    linux,
    hostname: spec.hostname,
    domainname: spec.domainname,
    facts: facts.namespaces,
    slots,
  });
  const { process, warnings } = withGrants(spec, facts);
  const owner = planCgroupOwner(spec, facts.cgroup);
  const cgroup = planCgroup({
    facts: facts.cgroup,
    resources: linux.resources ?? {},
    ...(owner ? { owner } : {}),
    slots,
  });
  const rdt = planRdt(linux.intelRdt, { id: launch.id, facts: facts.rdt, slots });
  const rootfs = planRootfs({
    spec: { ...spec, linux: { ...linux, namespaces: foreign(spec, facts) } },
    launch: {
      ...launch,
      ...prepared,
      holdBeforePivot: handOver?.holdForHooks ?? false,
      noPivot: handOver?.noPivot ?? false,
    },
    facts: facts.rootfs,
    slots,
  });
  const ops: PlannedOp[] = [
    ...cgroup.host,
    ...rdt.host,
    ...rootfs.host,
    ...namespaces.host,
    ...namespaces.parent,
    ...rootfs.parent,
    ...planOomScore(process.oomScoreAdj),
    ...planLabels(process),
    ...rdt.child,
    ...namespaces.child,
    ...rootfs.child,
    ...planPersonality(linux.personality),
    ...planMemoryPolicy(linux.memoryPolicy),
    ...planAffinity(launch.cpuAffinity, "child", "process.execCPUAffinity"),
    ...planProcess(process, processOptions(spec, launch, { rootfs, slots })),
    ...rdt.teardown,
    ...cgroup.teardown,
  ];
  return {
    ops,
    cloneFlags: namespaces.cloneFlags,
    cgroupSlot: cgroup.cgroupSlot,
    inheritedFds: prepared.inherit.length,
    ...(warnings.length > 0 ? { warnings } : {}),
    supervision: supervision(launch),
    ...(launch.fault ? { fault: launch.fault } : {}),
  };
}

function supervision({
  daemon,
  handOver,
  relay,
  timings = false,
}: ContainerLaunch): LaunchPlan["supervision"] {
  const leave = handOver?.awaitStart !== undefined;
  return {
    daemon,
    dieWithParent: !daemon,
    childDiesWithStage: !leave,
    holdMounts: !leave,
    leave,
    timings,
    ...(relay ? { relay } : {}),
  };
}

function processOptions(
  spec: OciSpec,
  launch: ContainerLaunch,
  { rootfs, slots }: { readonly rootfs: RootfsPlan; readonly slots: SlotAllocator },
): ProcessPlanOptions {
  const { prepared, handOver } = launch;
  const { seccomp } = spec.linux;
  const listener = seccomp && planListener(seccomp, listenerState(spec, launch));
  return {
    slots,
    root: rootfs.rootSlot,
    ...(rootfs.devptsSlot === undefined
      ? {}
      : { devptsSlot: rootfs.devptsSlot, ptySlot: slots.take() }),
    attachConsole: rootfs.attachConsole,
    ...(prepared.seccomp ? { seccomp: prepared.seccomp } : {}),
    ...(listener ? { listener } : {}),
    ...handedOver(handOver),
    ownStdio: handOver?.ownStdio ?? relayedStdio(launch.relay, spec.process),
    hold: launch.hold,
    init: launch.init,
    ...(handOver?.noNewKeyring ? {} : { keyring: `_ses.${launch.id}` }),
  };
}

function handedOver(
  handOver: HandOver | undefined,
): Pick<ProcessPlanOptions, "consoleSlot" | "keepFds" | "awaitStart"> {
  const { consoleSlot, keepFds, awaitStart } = handOver ?? {};
  return {
    ...(consoleSlot === undefined ? {} : { consoleSlot }),
    ...(keepFds ? { keepFds } : {}),
    ...(awaitStart ? { awaitStart } : {}),
  };
}

/** The host's own namespace, even if it is listed by a path, is not the container's to change. */
function foreign({ linux }: OciSpec, facts: HostFacts): OciSpec["linux"]["namespaces"] {
  return foreignNamespaces(linux.namespaces, facts.namespaces);
}

/**
 * Who may divide the container's cgroup further: its user, where it sees no other cgroups and may write
 * there. OCI config-linux.md, "Cgroup ownership".
 */
function planCgroupOwner(
  { process, mounts, linux }: OciSpec,
  { delegate = [] }: CgroupFacts,
): CgroupOwner | undefined {
  const own = (type: string) =>
    linux.namespaces.some((namespace) => namespace.type === type && !namespace.path);
  const writable = mounts.some(
    ({ destination, type = "", options = [] }) =>
      /^cgroup2?$/.test(type) &&
      posix.normalize(destination) === "/sys/fs/cgroup" &&
      !options.includes("ro"),
  );
  if (!own("cgroup") || !writable) return undefined;
  const inside = linux.namespaces.some(({ type }) => type === "user");
  const uid = inside ? toHostId(linux.uidMappings ?? [], process.user.uid) : process.user.uid;
  return uid === undefined || uid === 0 ? undefined : { uid, gid: UNCHANGED, files: delegate };
}

/** chown(2). */
const UNCHANGED = 0xffff_ffff;

/** A new or joined user namespace gives every capability that there is, inside it. */
function withGrants(
  { process, linux }: OciSpec,
  facts: HostFacts,
): { readonly process: OciProcess; readonly warnings: readonly string[] } {
  if (!process.capabilities) return { process, warnings: [] };
  const all = linux.namespaces.some(({ type }) => type === "user");
  const { capabilities, warnings } = planGrants(process.capabilities, facts.capabilities, { all });
  return { process: { ...process, capabilities }, warnings };
}

function listenerState(
  { ociVersion, annotations }: OciSpec,
  { id, bundle = "/" }: ContainerLaunch,
): ListenerState {
  const state = { ociVersion, id, status: "creating", bundle } as const;
  return annotations === undefined ? state : { ...state, annotations };
}

/** Written by the stage: the child may be in a user namespace where lowering the score is refused. */
function planOomScore(oomScoreAdj: number | undefined): PlannedOp[] {
  if (oomScoreAdj === undefined) return [];
  return [
    {
      op: { kind: "writeProc", name: "oom_score_adj", data: String(oomScoreAdj) },
      phase: "parent",
      origin: "process.oomScoreAdj",
      hint: "A score below the caller's own needs CAP_SYS_RESOURCE.",
    },
  ];
}
