/**
 * A further process in a running container: its namespaces joined by one pidfd, its cgroup by clone3.
 */
import { type NamespaceIds, planExecJoin } from "../namespaces/index.ts";
import {
  type LaunchPlan,
  type PlannedOp,
  type RelayPlan,
  SLOT_CWD,
  type Slot,
  SlotAllocator,
} from "../plan/index.ts";
import type { OciProcess } from "../spec/index.ts";
import { planLabels } from "./plan-labels.ts";
import { type CompiledSeccomp, planProcess } from "./plan-process.ts";

export interface ExecLaunch {
  /** The cgroup directory that the container's first process is in. */
  readonly cgroupDir: string;
  /** The namespaces of the container's first process, and tsrun's own. */
  readonly target: NamespaceIds;
  readonly own: NamespaceIds;
  readonly seccomp?: CompiledSeccomp;
  /** Outlive the caller: for a detached exec. */
  readonly daemon: boolean;
  readonly relay?: RelayPlan;
}

/** The caller passes a pidfd of the container's first process as the only inherited descriptor. */
export function planExec(process: OciProcess, launch: ExecLaunch): LaunchPlan {
  const slots = new SlotAllocator(1);
  const pidfd = 0 as Slot;
  const cgroupSlot = slots.take();
  const join = planExecJoin({ pidfd, target: launch.target, own: launch.own, slots });
  const terminal = process.terminal ? planDevpts(slots) : undefined;
  const ops: PlannedOp[] = [
    {
      op: {
        kind: "open",
        path: launch.cgroupDir,
        dir: SLOT_CWD,
        flags: O_DIRECTORY,
        out: cgroupSlot,
      },
      phase: "host",
      origin: "cgroup",
    },
    ...join.host,
    ...join.parent,
    ...planLabels(process),
    ...join.child,
    ...(terminal?.ops ?? []),
    ...planProcess(process, {
      ...(terminal ? { devptsSlot: terminal.devpts, ptySlot: slots.take() } : {}),
      ...(launch.seccomp ? { seccomp: launch.seccomp } : {}),
      ownsStdio: launch.relay !== undefined,
      hold: false,
      init: false,
    }),
  ];
  return {
    ops,
    cloneFlags: join.cloneFlags,
    cgroupSlot,
    inheritedFds: 1,
    supervision: {
      daemon: launch.daemon,
      dieWithParent: !launch.daemon,
      childDiesWithStage: !launch.daemon,
      holdMounts: false,
      timings: false,
      ...(launch.relay ? { relay: launch.relay } : {}),
    },
  };
}

const O_DIRECTORY = 0o200000;
const O_PATH = 0o10000000;

/** The container's own devpts: opened after joining its mount namespace, as the container sees it. */
function planDevpts(slots: SlotAllocator): { readonly devpts: Slot; readonly ops: PlannedOp[] } {
  const devpts = slots.take();
  const op = {
    kind: "open",
    path: "/dev/pts",
    dir: SLOT_CWD,
    flags: O_PATH | O_DIRECTORY,
    out: devpts,
  } as const;
  return { devpts, ops: [{ op, phase: "child", origin: "process.terminal" }] };
}
