/**
 * Masked and read-only paths: parts of /proc and /sys that tell or change too much about the host.
 *
 * Whether a path is there, and whether it is a file or a directory, is not known before the launch; the
 * ops branch on what the kernel answers. Paths in /proc and /sys are opened below those mounts' own
 * descriptors, so that nothing mounted over them meanwhile can stand in for them.
 */
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR,
  O_CLOEXEC,
  O_PATH,
  OPEN_TREE_CLONE,
} from "./flags.ts";
import {
  attach,
  close,
  mountSetattr,
  openAt,
  opMaker,
  type RootfsSlots,
  relative,
  resolveFlags,
} from "./ops.ts";
import { planDetached } from "./plan-new-mount.ts";

export interface MaskSources {
  /** An empty, read-only directory that is mounted in the child's namespace. */
  readonly directory: Slot;
  /** The host's /dev/null, in the child's namespace. */
  readonly file: Slot;
}

/** Mounts by the path at which they are, e.g. "/proc"; the longest that fits a path wins. */
export type MountedAt = ReadonlyMap<string, Slot>;

/**
 * What the masks are copies of. It comes first in the child: /dev/null still is the host's then, and
 * the container has no say in what it is (CVE-2025-31133); that it is the device 1:3 was seen when the
 * host was probed. The empty directory lies under the mount point and goes with the old root.
 */
export function planMaskSources(slots: RootfsSlots): { ops: PlannedOp[]; sources: MaskSources } {
  const child = opMaker("child", "linux.maskedPaths");
  const sources = { directory: slots.allocator.take(), file: slots.allocator.take() };
  const attributes = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;
  return {
    sources,
    ops: [
      child({
        kind: "open",
        path: "/dev/null",
        dir: SLOT_CWD,
        flags: O_PATH | O_CLOEXEC,
        out: sources.file,
      }),
      ...planDetached(child, {
        fstype: "tmpfs",
        source: "tsrun-mask",
        options: { data: ["mode=755", "size=4k", "nr_inodes=1"], superblock: 0 },
        attributes,
        scratch: slots.scratch,
        out: sources.directory,
      }),
      child({ kind: "moveMount", from: sources.directory, to: SLOT_CWD, target: "." }),
    ],
  };
}

export function planMaskedPaths(
  paths: readonly string[],
  sources: MaskSources,
  mountedAt: MountedAt,
  slots: RootfsSlots,
): PlannedOp[] {
  return paths.flatMap((path, index) => {
    const child = opMaker("child", `linux.maskedPaths[${index}]`);
    const { dir, name, resolve } = locate(path, mountedAt, slots);
    const clone = (source: Slot, skipOk: number): PlannedOp[] => [
      child({
        kind: "openTree",
        path: "",
        dir: source,
        flags: OPEN_TREE_CLONE | AT_EMPTY_PATH | O_CLOEXEC,
        out: slots.scratch,
      }),
      child(attach(slots.scratch, slots.target)),
      child(close(slots.scratch)),
      child(close(slots.target), skipOk === 0 ? {} : { skipOk }),
    ];
    const asFile = clone(sources.file, 0);
    const openFile = child(openAt(dir, name, slots.target, resolve), {
      tolerate: ["ENOENT", "ENOTDIR"],
      skipFailed: asFile.length,
    });
    const asDirectory = clone(sources.directory, asFile.length + 1);
    return [
      // Not a directory, or not there at all, which the second open tells.
      child(openAt(dir, `${name}/.`, slots.target, resolve), {
        tolerate: ["ENOENT", "ENOTDIR"],
        skipFailed: asDirectory.length,
      }),
      ...asDirectory,
      openFile,
      ...asFile,
    ];
  });
}

export function planReadonlyPaths(
  paths: readonly string[],
  mountedAt: MountedAt,
  slots: RootfsSlots,
): PlannedOp[] {
  return paths.flatMap((path, index) => {
    const child = opMaker("child", `linux.readonlyPaths[${index}]`);
    const { dir, name, resolve } = locate(path, mountedAt, slots);
    const body = [
      child({
        kind: "openTree",
        path: "",
        dir: slots.target,
        flags: OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE | O_CLOEXEC,
        out: slots.scratch,
      }),
      child(mountSetattr(slots.scratch, { attrSet: MOUNT_ATTR.RDONLY, recursive: true })),
      child(attach(slots.scratch, slots.target)),
      child(close(slots.scratch)),
      child(close(slots.target)),
    ];
    return [
      child(openAt(dir, name, slots.target, resolve), {
        tolerate: ["ENOENT", "ENOTDIR"],
        skipFailed: body.length,
      }),
      ...body,
    ];
  });
}

function locate(
  path: string,
  mountedAt: MountedAt,
  slots: RootfsSlots,
): { dir: Slot; name: string; resolve: number } {
  const wanted = relative(path);
  const [mount] = [...mountedAt]
    .filter(([place]) => wanted.startsWith(`${relative(place)}/`))
    .sort(([a], [b]) => b.length - a.length);
  if (!mount) return { dir: slots.root, name: wanted, resolve: resolveFlags(false) };
  const [place, dir] = mount;
  return { dir, name: wanted.slice(relative(place).length + 1), resolve: resolveFlags(false) };
}
