/**
 * A container's file system as requests, in the order in which they depend on each other: the root,
 * the mounts, /dev, sysctls, read-only and masked paths, and then the root becomes "/".
 */
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot, type SlotAllocator } from "../plan/index.ts";
import type { OciSpec, RootMount } from "../spec/index.ts";
import type { RootfsFacts } from "./facts.ts";
import { MOUNT_ATTR, MS } from "./flags.ts";
import {
  containerIdMaps,
  hasUserNamespace,
  idMapSlotOf,
  idMapsKey,
  requireContainerMaps,
} from "./id-maps.ts";
import { invalid } from "./invalid.ts";
import type { ReadySlots } from "./mount-context.ts";
import { propagationOf } from "./mount-options.ts";
import { mountSetattr, opMaker, type RootfsSlots, relative, setPropagation } from "./ops.ts";
import { planMaskedPaths, planMaskSources, planReadonlyPaths } from "./plan-masks.ts";
import { type MountsPlan, planMounts } from "./plan-mounts.ts";
import { planDetached } from "./plan-new-mount.ts";
import { planMoveToRoot, planPivot } from "./plan-pivot.ts";
import { planRoot } from "./plan-root.ts";
import { planSharedRoot } from "./plan-shared-root.ts";
import { planSysctls } from "./plan-sysctl.ts";
import { planWorkdir } from "./plan-workdir.ts";

export interface RootfsPlanInput {
  readonly spec: OciSpec;
  readonly launch: ReadySlots & {
    readonly root: RootMount;
    /** An empty host directory that is this container's alone; nothing is ever seen on it. */
    readonly mountPoint: string;
    /** The stage lives on when its caller dies. */
    readonly daemon: boolean;
    /** Hold when all is mounted, before the root is entered: for what others still do to it. */
    readonly holdBeforePivot?: boolean;
    /** Where the host's own root is the initial ramfs. */
    readonly noPivot?: boolean;
  };
  readonly facts: RootfsFacts;
  readonly slots: SlotAllocator;
}

export interface RootfsPlan {
  readonly host: readonly PlannedOp[];
  readonly parent: readonly PlannedOp[];
  /** Ends in the container's "/", with the root mounted, pivoted to and read-only if it is to be. */
  readonly child: readonly PlannedOp[];
  /** The container's root directory. */
  readonly rootSlot: Slot;
  /** The container's /dev/pts, for openPty; undefined without a devpts mount. */
  readonly devptsSlot: Slot | undefined;
  /** A procfs that this launch mounted, for attributes and sysctls; undefined where there is none. */
  readonly procSlot: Slot | undefined;
  /** After openPty: binds the terminal on /dev/console. */
  readonly attachConsole: (pty: Slot) => readonly PlannedOp[];
}

/** Throws INVALID_SPEC, NOT_FOUND, UNSUPPORTED or OVERLAY_UNSUPPORTED, each naming its field. */
export function planRootfs({ spec, launch, facts, slots: allocator }: RootfsPlanInput): RootfsPlan {
  const { linux } = spec;
  if (!makesMountNamespace(linux.namespaces)) {
    const { holdBeforePivot: hold = false } = launch;
    const shared = planSharedRoot(spec, launch.root, { slots: allocator, hold });
    return { host: [], parent: [], procSlot: undefined, attachConsole: () => [], ...shared };
  }
  assertLabel(linux.mountLabel, facts);
  const slots: RootfsSlots = {
    allocator,
    root: allocator.take(),
    target: allocator.take(),
    scratch: allocator.take(),
  };
  const userNamespace = hasUserNamespace(linux);
  const root = planRoot({
    root: launch.root,
    mountPoint: launch.mountPoint,
    userNamespace,
    idMapSlot: rootIdMapSlot(spec, launch),
    idMaps: containerIdMaps(spec),
    dieWithParent: !launch.daemon,
    receives: /^r?slave$/.test(linux.rootfsPropagation ?? ""),
    mountLabel: facts.selinux ? (linux.mountLabel ?? "") : "",
    facts,
    slots,
  });
  const mounts = planMounts({ spec, launch, facts, slots });
  const masks = planRestrictions(spec, facts, mounts, slots);
  const proc = planProcSlot(spec, mounts, slots);
  return {
    host: [
      ...root.host,
      ...mounts.host,
      ...(userNamespace ? [goTo(launch.mountPoint, "host")] : []),
    ],
    parent: userNamespace ? [goTo("/", "parent")] : [],
    child: [
      privateNamespace(),
      ...(userNamespace ? [] : [goTo(launch.mountPoint, "child")]),
      ...masks.sources,
      ...root.child,
      ...mounts.child,
      ...(launch.holdBeforePivot ? [opMaker("child", "hooks")({ kind: "hold" })] : []),
      ...proc.ops,
      ...planSysctlOps(spec, proc.slot),
      ...masks.ops,
      ...(launch.noPivot ? planMoveToRoot(slots.root) : planPivot(slots.root)),
      ...planRootPropagation(linux.rootfsPropagation, slots.root),
      ...planWorkdir(spec.process.cwd, slots.root),
      ...planReadonlyRoot(spec, slots.root),
    ],
    rootSlot: slots.root,
    devptsSlot: mounts.devpts,
    procSlot: proc.slot,
    attachConsole: mounts.console.attach,
  };
}

function makesMountNamespace(namespaces: OciSpec["linux"]["namespaces"]): boolean {
  return namespaces.some(({ type, path = "" }) => type === "mount" && path === "");
}

/** A label that the kernel would not enforce is none. */
function assertLabel(label: string | undefined, { selinux }: RootfsFacts): void {
  if (selinux || label === undefined || label === "") return;
  const origin = "linux.mountLabel";
  throw new TsrunError("UNSUPPORTED", `${origin}: this machine does not run SELinux`, {
    origin,
    hint: "Leave the label out.",
  });
}

/** The mount points' propagation to the host ends here; unmounts on the host still arrive until pivot_root. */
function privateNamespace(): PlannedOp {
  return opMaker(
    "child",
    "root",
  )({
    kind: "mount",
    source: "",
    fstype: "",
    data: "",
    flags: MS.REC | MS.SLAVE,
    at: SLOT_CWD,
    target: "/",
  });
}

/**
 * The mount point becomes the working directory. In a user namespace the stage goes there before
 * clone(2), which takes it along into the new mount namespace: the container's root may have no right
 * to walk the path.
 */
function goTo(path: string, phase: "host" | "parent" | "child"): PlannedOp {
  return opMaker(phase, "root")({ kind: "chdir", path });
}

function rootIdMapSlot(spec: OciSpec, launch: RootfsPlanInput["launch"]): Slot | undefined {
  if (!launch.root.idMapped) return undefined;
  return idMapSlotOf(idMapsKey(requireContainerMaps(spec, "root")), launch, "root");
}

function planRestrictions(
  spec: OciSpec,
  facts: RootfsFacts,
  { mountedAt }: MountsPlan,
  slots: RootfsSlots,
): { sources: readonly PlannedOp[]; ops: readonly PlannedOp[] } {
  const masked = spec.linux.maskedPaths ?? [];
  const readonly = spec.linux.readonlyPaths ?? [];
  for (const [field, paths] of Object.entries({ maskedPaths: masked, readonlyPaths: readonly })) {
    const wrong = paths.findIndex((path) => !path.startsWith("/") || relative(path) === ".");
    if (wrong !== -1) {
      throw invalid(
        `linux.${field}[${wrong}]`,
        `"${paths[wrong]}" is not an absolute path below "/"`,
      );
    }
  }
  const readonlyOps = planReadonlyPaths(readonly, mountedAt, slots);
  if (masked.length === 0) return { sources: [], ops: readonlyOps };
  if (!facts.nullDeviceIsGenuine) {
    throw new TsrunError("UNSUPPORTED", 'the host\'s "/dev/null" is not the null device', {
      origin: "linux.maskedPaths",
      hint: "Make it anew: rm /dev/null; mknod -m 666 /dev/null c 1 3.",
    });
  }
  const { ops, sources } = planMaskSources(slots);
  return {
    sources: ops,
    ops: [...readonlyOps, ...planMaskedPaths(masked, sources, mountedAt, slots)],
  };
}

/** The container's /proc; where it has none but sysctls are to be set, one that is attached nowhere. */
function planProcSlot(
  spec: OciSpec,
  { proc }: MountsPlan,
  slots: RootfsSlots,
): { ops: readonly PlannedOp[]; slot: Slot | undefined } {
  if (proc !== undefined || !hasSysctls(spec)) return { ops: [], slot: proc };
  const out = slots.allocator.take();
  const child = opMaker("child", "linux.sysctl");
  const attributes = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;
  const request = { fstype: "proc", source: "proc", attributes, scratch: slots.scratch, out };
  return { ops: planDetached(child, request), slot: out };
}

function hasSysctls({ linux }: OciSpec): boolean {
  return Object.keys(linux.sysctl ?? {}).length > 0;
}

function planSysctlOps(spec: OciSpec, proc: Slot | undefined): PlannedOp[] {
  if (proc === undefined || !hasSysctls(spec)) return [];
  return planSysctls(spec.linux.sysctl ?? {}, spec.linux.namespaces, proc);
}

function planRootPropagation(name: string | undefined, root: Slot): PlannedOp[] {
  if (name === undefined || name === "") return [];
  const propagation = propagationOf(name);
  const origin = "linux.rootfsPropagation";
  if (!propagation) {
    throw invalid(
      origin,
      `"${name}" is not a propagation`,
      "Use private, slave, shared or unbindable, or one of them with an r in front.",
    );
  }
  return [setPropagation(opMaker("child", origin), root, propagation)];
}

/** Last: until here mount points were made in it. */
function planReadonlyRoot({ root }: OciSpec, slot: Slot): PlannedOp[] {
  if (root.readonly !== true) return [];
  const child = opMaker("child", "root.readonly");
  return [child(mountSetattr(slot, { attrSet: MOUNT_ATTR.RDONLY, recursive: false }))];
}
