/** Looks at the kernel's overlayfs and at a directory's file system. */
import { closeSync, mkdirSync, mkdtempSync, readdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import { AT_FDCWD, fsconfig, fsopen, KernelError, makeNodeAt, setXattr } from "../ffi/index.ts";
import type { OverlayFacts } from "./facts.ts";
import { mountDetached } from "./mount.ts";
import { removeTree } from "./remove-tree.ts";

/** statfs(2) f_type of file systems that carry an upper however they were made. */
const GOOD_TYPES = new Set([
  0xef53, // ext4
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0xf2f52010, // f2fs
  0xca451a4e, // bcachefs
]);

/** File systems that never do, with the reason. */
const BAD_TYPES: ReadonlyMap<number, string> = new Map([
  [0x794c7630, "it is on an overlay, and an overlay's upper cannot be on another"],
  [0x6969, "it is on NFS, which has no extended attributes for overlays"],
  [0x65735546, "it is on FUSE, which overlays do not accept as upper"],
  [0x4d44, "it is on FAT, which has no owners, links or extended attributes"],
  [0x2011bab0, "it is on exFAT, which has no owners, links or extended attributes"],
  [0x5346544e, "it is on NTFS, which overlays do not accept as upper"],
  [0x01021997, "it is on 9p, which overlays do not accept as upper"],
]);

const HINT = "Point --root at a directory on ext4, xfs (ftype=1), btrfs or tmpfs.";

/**
 * Whether `dir` can hold uppers, and which options the kernel knows. Kinds of file system that are
 * known cost one statfs(2); another is tried out with a real overlay that is attached nowhere.
 * Throws OVERLAY_UNSUPPORTED where the kernel has no overlayfs, and PERMISSION without the right to mount.
 */
export function probeOverlay(dir: string): OverlayFacts {
  return { dir, problem: findProblem(dir), options: probeOptions() };
}

function findProblem(dir: string): OverlayFacts["problem"] {
  const type = statfsSync(dir).type >>> 0;
  if (GOOD_TYPES.has(type)) return undefined;
  const known = BAD_TYPES.get(type);
  const reason = known ?? tryOut(dir);
  return reason === undefined ? undefined : { reason, hint: HINT };
}

/**
 * An overlay whose upper hides a file: without d_type in directory entries (xfs with ftype=0) the
 * kernel does not recognise the whiteout and still lists it.
 */
function tryOut(dir: string): string | undefined {
  const probe = mkdtempSync(join(dir, ".overlay-probe-"));
  using undo = new UndoStack();
  undo.defer(() => removeTree(probe));
  for (const name of ["lower", "upper", "work"]) mkdirSync(join(probe, name));
  writeFileSync(join(probe, "lower", "hidden"), "");
  try {
    setXattr(join(probe, "upper"), "trusted.overlay.opaque", Buffer.from("n"));
    makeNodeAt(AT_FDCWD, join(probe, "upper", "hidden"), { mode: 0o020000 });
    const fd = mountDetached({
      kind: "overlay",
      lower: [join(probe, "lower")],
      upper: { dir: join(probe, "upper"), work: join(probe, "work") },
      options: ["volatile"],
      idMapped: false,
    });
    undo.defer(() => closeSync(fd));
    const visible = readdirSync(`/proc/self/fd/${fd}/.`);
    return visible.includes("hidden") ? "its file system has no d_type" : undefined;
  } catch (error) {
    if (hasErrno(error, "EOPNOTSUPP")) return "its file system has no extended attributes";
    if (hasErrno(error, "EINVAL")) return "overlayfs does not accept its file system as upper";
    throw error;
  }
}

let knownOptions: OverlayFacts["options"] | undefined;

/** Each option is offered to a context that is never mounted. */
function probeOptions(): OverlayFacts["options"] {
  knownOptions ??= {
    volatile: accepts("volatile"),
    redirectDir: accepts("redirect_dir", "off"),
    metacopy: accepts("metacopy", "off"),
    xino: accepts("xino", "auto"),
  };
  return knownOptions;
}

function accepts(key: string, value?: string): boolean {
  const fs = openContext();
  try {
    fsconfig(fs, value === undefined ? { kind: "flag", key } : { kind: "string", key, value });
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  } finally {
    closeSync(fs);
  }
}

function openContext(): number {
  try {
    return fsopen("overlay");
  } catch (error) {
    if (!hasErrno(error, "ENODEV")) throw error;
    throw new TsrunError("OVERLAY_UNSUPPORTED", "this kernel has no overlayfs", {
      hint: "Load its module: modprobe overlay.",
      cause: error,
    });
  }
}
