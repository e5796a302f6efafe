/**
 * An OCI specification and what was seen of the host, compiled into one launch plan. The mechanism
 * folders each plan their part; this file only puts the parts in the order that the kernel needs.
 */
import { planCgroup } from "../cgroups/index.ts";
import { planNamespaces } from "../namespaces/index.ts";
import {
  type LaunchPlan,
  type PlannedOp,
  type RelayPlan,
  type Slot,
  SlotAllocator,
} from "../plan/index.ts";
import { planRootfs } from "../rootfs/index.ts";
import type { OciSpec, RootMount } from "../spec/index.ts";
import type { HostFacts } from "./facts.ts";
import { planLabels } from "./plan-labels.ts";
import { planProcess } from "./plan-process.ts";
import { persona } from "./plan-scheduling.ts";
import type { Prepared } from "./prepare.ts";

export interface ContainerLaunch {
  readonly id: string;
  readonly root: RootMount;
  /** An empty host directory on which the root is assembled, in the container's mount namespace only. */
  readonly mountPoint: string;
  /** What was made before the launch and is handed over (prepare.ts). */
  readonly prepared: Prepared;
  /** Stop before exec and wait to be released (the "created" state). */
  readonly hold: boolean;
  readonly init: boolean;
  /** Outlive the caller: the stage becomes the container's supervisor. */
  readonly daemon: boolean;
  readonly relay?: RelayPlan;
  readonly timings?: boolean;
  readonly fault?: LaunchPlan["fault"];
}

/** Pure: what it says depends on its arguments alone. Throws INVALID_SPEC and CGROUP_UNAVAILABLE. */
export function planContainer(
  spec: OciSpec,
  launch: ContainerLaunch,
  facts: HostFacts,
): LaunchPlan {
  const { linux, process } = spec;
  const { prepared } = launch;
  const slots = new SlotAllocator(prepared.inherit.length);
  const namespaces = planNamespaces({
    linux,
    hostname: spec.hostname,
    domainname: spec.domainname,
    facts: facts.namespaces,
    slots,
  });
  const cgroup = planCgroup({ facts: facts.cgroup, resources: linux.resources ?? {}, slots });
  const rootfs = planRootfs({
    spec,
    launch: { ...launch, ...prepared },
    facts: facts.rootfs,
    slots,
  });
  const ops: PlannedOp[] = [
    ...cgroup.host,
    ...rootfs.host,
    ...namespaces.host,
    ...namespaces.parent,
    ...rootfs.parent,
    ...planOomScore(process.oomScoreAdj),
    ...planLabels(process),
    ...namespaces.child,
    ...rootfs.child,
    ...planWorkdir(process.cwd, rootfs.rootSlot),
    ...planPersonality(linux.personality),
    ...planProcess(process, {
      ...(rootfs.devptsSlot === undefined
        ? {}
        : { devptsSlot: rootfs.devptsSlot, ptySlot: slots.take() }),
      attachConsole: rootfs.attachConsole,
      ...(prepared.seccomp ? { seccomp: prepared.seccomp } : {}),
      ownsStdio: launch.relay !== undefined,
      hold: launch.hold,
      init: launch.init,
      keyring: `_ses.${launch.id}`,
    }),
    ...cgroup.teardown,
  ];
  return {
    ops,
    cloneFlags: namespaces.cloneFlags,
    cgroupSlot: cgroup.cgroupSlot,
    inheritedFds: prepared.inherit.length,
    supervision: {
      daemon: launch.daemon,
      dieWithParent: !launch.daemon,
      childDiesWithStage: true,
      holdMounts: true,
      timings: launch.timings ?? false,
      ...(launch.relay ? { relay: launch.relay } : {}),
    },
    ...(launch.fault ? { fault: launch.fault } : {}),
  };
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

function planPersonality(personality: OciSpec["linux"]["personality"]): PlannedOp[] {
  if (!personality) return [];
  return [
    {
      op: { kind: "personality", persona: persona(personality) },
      phase: "child",
      origin: "linux.personality",
    },
  ];
}

/** A working directory that is missing is made, as runc does; not in a read-only root. */
function planWorkdir(cwd: string, root: Slot): PlannedOp[] {
  if (cwd === "/") return [];
  return [
    {
      op: { kind: "mkdirBelow", path: cwd, root, mode: 0o755 },
      phase: "child",
      origin: "process.cwd",
      tolerate: ["EROFS", "EACCES"],
    },
  ];
}
