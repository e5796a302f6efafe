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
import type { HandOver } from "./plan-container.ts";
import { planLabels } from "./plan-labels.ts";
import { type CompiledSeccomp, planProcess, relayedStdio } from "./plan-process.ts";
import { planAffinity } from "./plan-scheduling.ts";

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
  /** For engines: the stage leaves the process to the nearest subreaper as soon as it runs. */
  readonly leave?: boolean;
  readonly handOver?: Pick<HandOver, "consoleSlot" | "keepFds" | "ownStdio">;
  /** Name of the container's session keyring; undefined keeps the caller's. */
  readonly keyring?: string;
  /** How many descriptors the caller passes besides. */
  readonly inherited?: number;
}

/** The caller passes a pidfd of the container's first process as the first inherited descriptor. */
export function planExec(process: OciProcess, launch: ExecLaunch): LaunchPlan {
  const { handOver, leave = false } = launch;
  const inheritedFds = 1 + (launch.inherited ?? 0);
  const slots = new SlotAllocator(inheritedFds);
  const pidfd = 0 as Slot;
  const cgroupSlot = slots.take();
  const join = planExecJoin({ pidfd, target: launch.target, own: launch.own, slots });
  const terminal = process.terminal ? planDevpts(slots) : undefined;
  const root = slots.take();
  const { initial, final } = process.execCPUAffinity ?? {};
  const ops: PlannedOp[] = [
    ...planAffinity(initial, "host", "process.execCPUAffinity.initial"),
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
    ...planAffinity(final, "child", "process.execCPUAffinity.final"),
    openRoot(root),
    ...(terminal?.ops ?? []),
    ...planProcess(process, {
      slots,
      root,
      ...(terminal ? { devptsSlot: terminal.devpts, ptySlot: slots.take() } : {}),
      ...(launch.seccomp ? { seccomp: launch.seccomp } : {}),
      ...(handOver?.consoleSlot === undefined ? {} : { consoleSlot: handOver.consoleSlot }),
      ...(handOver?.keepFds ? { keepFds: handOver.keepFds } : {}),
      ownStdio: handOver?.ownStdio ?? relayedStdio(launch.relay, process),
      ...(launch.keyring === undefined ? {} : { keyring: launch.keyring }),
      hold: false,
      init: false,
    }),
  ];
  return {
    ops,
    cloneFlags: join.cloneFlags,
    cgroupSlot,
    inheritedFds,
    supervision: {
      daemon: launch.daemon,
      dieWithParent: !launch.daemon,
      childDiesWithStage: !launch.daemon && !leave,
      holdMounts: false,
      leave,
      timings: false,
      ...(launch.relay ? { relay: launch.relay } : {}),
    },
  };
}

/** As the container sees it. */
function openRoot(out: Slot): PlannedOp {
  const op = { kind: "open", path: "/", dir: SLOT_CWD, flags: O_PATH, out } as const;
  return { op, phase: "child", origin: "process.cwd" };
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
