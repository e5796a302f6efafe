/**
 * The requests of this folder in short form, and how a path below the container's root is opened.
 *
 * The image is not trusted: a component of any path may be a symbolic link to anywhere. So nothing is
 * ever asked for by path alone. A mount point is resolved once, by openat2(2) below the root's own
 * descriptor, and is a descriptor from then on.
 */
import { posix } from "node:path";
import type { Op, Phase, PlannedOp, Slot, SlotAllocator } from "../plan/index.ts";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_PATH,
  PROC_SUPER_MAGIC,
  RESOLVE,
  S_IFREG,
} from "./flags.ts";
import type { AttributeChange, Propagation } from "./mount-options.ts";

type Consequences = Omit<PlannedOp, "op" | "phase" | "origin">;

/** Makes a phase's ops for one field of the specification. */
export type OpMaker = (op: Op, consequences?: Consequences) => PlannedOp;

export function opMaker(phase: Phase, origin: string): OpMaker {
  return (op, consequences) => ({ op, phase, origin, ...consequences });
}

/**
 * The slots of one launch. A descriptor that is needed for two or three ops only takes the scratch
 * slot, which is closed after them: a hundred volumes need no hundred more slots.
 */
export interface RootfsSlots {
  readonly allocator: SlotAllocator;
  /** The container's root, once it is mounted. */
  readonly root: Slot;
  /** Mount points, one after the other. */
  readonly target: Slot;
  /** File system contexts and clones, one after the other. */
  readonly scratch: Slot;
}

export const NO_USER_NAMESPACE = -1 as Slot;

export type TargetKind = "directory" | "file";

export interface TargetPlace {
  readonly path: string;
  readonly kind: TargetKind;
  /** The directory below which the path is resolved; the container's root if it is left out. */
  readonly below?: Slot;
  /** Refuse symbolic links on the way: for places that must be what their name says. */
  readonly strict?: boolean;
  /** It may be in a procfs; otherwise a link that leads into one is refused. */
  readonly mayBeInProc?: boolean;
  /** Where the descriptor goes; the target slot if it is left out. */
  readonly out?: Slot;
}

/**
 * Opens a mount point and makes it where it is missing, with its parents (OCI config.md, "Mounts":
 * the runtime creates missing mount points).
 */
export function openTarget(make: OpMaker, slots: RootfsSlots, place: TargetPlace): PlannedOp[] {
  const { kind, strict = false, below = slots.root, out = slots.target } = place;
  const path = relative(place.path);
  const resolve = resolveFlags(strict);
  const hint = strict
    ? `The image has a symbolic link at "/${path}", where a directory is needed.`
    : `Something in the image is in the way of the mount point "/${path}".`;
  const open = (consequences: Consequences) =>
    make(openAt(below, kind === "directory" ? `${path}/.` : path, out, resolve), {
      hint,
      ...consequences,
    });
  if (path === ".") return [make(openAt(below, ".", out, resolve))];

  // mkdirBelow follows a dangling link (/etc/resolv.conf often is one) and completes it at its target,
  // below the root; open(2) with O_CREAT would fail where the target's directory is missing.
  const mode = kind === "directory" ? 0o755 : S_IFREG | 0o644;
  const creation = [make({ kind: "mkdirBelow", path, root: below, mode }, { hint }), open({})];
  return [
    open({ tolerate: ["ENOENT"], skipOk: creation.length }),
    ...creation,
    ...(strict || place.mayBeInProc === true ? [] : [outsideProc(make, out)]),
  ];
}

/**
 * Where a link of the image leads is only known when it has been followed. Over /proc nothing of the
 * image's may be mounted: what the runtime reads and writes there would be the image's (CVE-2019-19921,
 * CVE-2023-27561).
 */
function outsideProc(make: OpMaker, slot: Slot): PlannedOp {
  return make(
    { kind: "checkFs", slot, magic: PROC_SUPER_MAGIC, is: false },
    { hint: "A symbolic link of the image leads into /proc, where nothing may be mounted." },
  );
}

export function resolveFlags(strict: boolean): number {
  return strict
    ? RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_SYMLINKS
    : RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;
}

/** An O_PATH descriptor: opening even a device or a FIFO this way has no effect on it. */
export function openAt(dir: Slot, path: string, out: Slot, resolve: number): Op {
  return { kind: "openat2", path, dir, flags: O_PATH | O_CLOEXEC, mode: 0, resolve, out };
}

/** "/a//b/" and "a/b" as "a/b"; the root as ".". `..` cannot lead above the root. */
export function relative(path: string): string {
  const normal = posix.normalize(`/${path}`);
  const trimmed = normal.replace(/^\/+|\/+$/g, "");
  return trimmed === "" ? "." : trimmed;
}

/** Attributes of the mount behind a slot; nothing is asked for where nothing changes. */
export function setAttributes(
  make: OpMaker,
  slot: Slot,
  change: AttributeChange,
  { recursive = false, hint }: { recursive?: boolean; hint?: string } = {},
): PlannedOp[] {
  if (change.set === 0 && change.clear === 0) return [];
  const op = mountSetattr(slot, { attrSet: change.set, attrClr: change.clear, recursive });
  return [make(op, hint === undefined ? {} : { hint })];
}

export function setPropagation(
  make: OpMaker,
  slot: Slot,
  { type, recursive }: Propagation,
): PlannedOp {
  return make(mountSetattr(slot, { propagation: type, recursive }));
}

export function mountSetattr(
  slot: Slot,
  change: {
    readonly attrSet?: number;
    readonly attrClr?: number;
    readonly propagation?: number;
    readonly recursive: boolean;
    readonly userns?: Slot;
  },
): Op {
  return {
    kind: "mountSetattr",
    slot,
    flags: AT_EMPTY_PATH | (change.recursive ? AT_RECURSIVE : 0),
    attrSet: change.attrSet ?? 0,
    attrClr: change.attrClr ?? 0,
    propagation: change.propagation ?? 0,
    userns: change.userns ?? NO_USER_NAMESPACE,
  };
}

/** Attaches the mount in `from` to the mount point in `to`. */
export function attach(from: Slot, to: Slot): Op {
  return { kind: "moveMount", from, to, target: "" };
}

export function close(slot: Slot): Op {
  return { kind: "close", slot };
}
