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
import { type CapabilityFacts, planGrants } from "../security/index.ts";
import type { OciLinux, OciProcess } from "../spec/index.ts";
import type { HandOver } from "./plan-container.ts";
import { planLabels } from "./plan-labels.ts";
import type { SeccompListener } from "./plan-listener.ts";
import { planMemoryPolicy } from "./plan-memory-policy.ts";
import {
  type CompiledSeccomp,
  type ProcessPlanOptions,
  planProcess,
  relayedStdio,
} from "./plan-process.ts";
import { planAffinity, planPersonality } from "./plan-scheduling.ts";

export interface ExecLaunch {
  /** The cgroup directory that the container's first process is in. */
  readonly cgroupDir: string;
  /** The namespaces of the container's first process, and tsrun's own. */
  readonly target: NamespaceIds;
  readonly own: NamespaceIds;
  readonly seccomp?: CompiledSeccomp;
  /** Who answers for that filter (planListener). */
  readonly listener?: SeccompListener;
  /** What of the container's own holds for further processes too. */
  readonly linux?: Pick<OciLinux, "personality" | "memoryPolicy">;
  /** "/proc/PID/root" of a container without a mount namespace of its own: its root is a chroot. */
  readonly rootPath?: string;
  /** What tsrun may pass on; without it, what is asked for is tried. */
  readonly capabilities?: CapabilityFacts;
  /** Outlive the caller: for a detached exec. */
  readonly daemon: boolean;
  readonly relay?: RelayPlan;
  /** For engines: the stage leaves the process to the nearest subreaper as soon as it runs. */
  readonly leave?: boolean;
  readonly handOver?: Pick<HandOver, "consoleSlot" | "keepFds" | "ownStdio">;
  /** Name of the container's session keyring; undefined keeps the caller's. */
  readonly keyring?: string;
  /** The file to execute, where the first argument does not say it. */
  readonly program?: string;
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
  const granted = withGrants(process, launch);
  const enterRoot = planRoot(launch.rootPath, root, slots);
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
    ...enterRoot.host,
    ...join.host,
    ...join.parent,
    ...planLabels(process),
    ...join.child,
    ...planAffinity(final, "child", "process.execCPUAffinity.final"),
    ...enterRoot.child,
    ...(terminal?.ops ?? []),
    ...planPersonality(launch.linux?.personality),
    ...planMemoryPolicy(launch.linux?.memoryPolicy),
    ...planProcess(granted.process, {
      slots,
      root,
      ...(terminal ? { devptsSlot: terminal.devpts, ptySlot: slots.take() } : {}),
      ...optional(launch),
      ownStdio: handOver?.ownStdio ?? relayedStdio(launch.relay, process),
      hold: false,
      init: false,
    }),
  ];
  return {
    ops,
    cloneFlags: join.cloneFlags,
    cgroupSlot,
    inheritedFds,
    ...(granted.warnings.length > 0 ? { warnings: granted.warnings } : {}),
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

/** Whoever joins a user namespace has every capability in it. */
function withGrants(
  process: OciProcess,
  { target, own, capabilities }: ExecLaunch,
): { readonly process: OciProcess; readonly warnings: readonly string[] } {
  if (!process.capabilities || !capabilities) return { process, warnings: [] };
  const all = target.user !== own.user;
  const granted = planGrants(process.capabilities, capabilities, { all });
  return {
    process: { ...process, capabilities: granted.capabilities },
    warnings: granted.warnings,
  };
}

function optional({
  seccomp,
  listener,
  handOver,
  keyring,
  program,
}: ExecLaunch): Partial<ProcessPlanOptions> {
  const { consoleSlot, keepFds } = handOver ?? {};
  return {
    ...(seccomp ? { seccomp } : {}),
    ...(listener ? { listener } : {}),
    ...(consoleSlot === undefined ? {} : { consoleSlot }),
    ...(keepFds ? { keepFds } : {}),
    ...(keyring === undefined ? {} : { keyring }),
    ...(program === undefined ? {} : { program }),
  };
}

/**
 * The container's root as the container sees it. A chroot is no namespace's: it is opened beforehand, by
 * the host's procfs, and entered.
 */
function planRoot(
  path: string | undefined,
  out: Slot,
  slots: SlotAllocator,
): { readonly host: readonly PlannedOp[]; readonly child: readonly PlannedOp[] } {
  const origin = "root.path";
  const open = { kind: "open", path: "/", dir: SLOT_CWD, flags: O_PATH, out } as const;
  const opened: PlannedOp = { op: open, phase: "child", origin };
  if (path === undefined) return { host: [], child: [opened] };
  const slot = slots.take();
  return {
    host: [{ op: { ...open, path, out: slot }, phase: "host", origin }],
    child: [
      { op: { kind: "fchdir", slot }, phase: "child", origin },
      { op: { kind: "chroot", path: "." }, phase: "child", origin },
      opened,
    ],
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
