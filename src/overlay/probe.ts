import { closeSync, constants, existsSync, openSync, readdirSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { isInUserNamespace } from "../base/user-namespace.ts";
import { readEntryTypes } from "../ffi/index.ts";
import { OVERLAY_FEATURES, type OverlayFacts, type OverlayFeature } from "./plan.ts";

/**
 * File systems that overlayfs refuses as an upper (no whiteouts by rename, no trusted xattrs, no
 * d_type), by statfs(2)'s type, linux/magic.h. What is not listed is tried, and the mount's own error
 * tells.
 */
const UNFIT_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x794c_7630, "an overlay"],
  [0x6969, "nfs"],
  [0x6573_5546, "fuse"],
  [0x0102_1997, "9p"],
  [0xff53_4d42, "cifs"],
  [0xfe53_4d42, "smb"],
  [0x4d44, "vfat"],
  [0x2011_bab0, "exfat"],
  [0x7371_7368, "squashfs"],
  [0xe0f5_e1e2, "erofs"],
]);

/** What planning an overlay needs to know about the directory that holds (or will hold) its upper. */
export function probeOverlay(directory: string): OverlayFacts {
  features ??= readFeatures();
  const existing = nearest(directory);
  const unfitFileSystem =
    UNFIT_FILE_SYSTEMS.get(statfsSync(existing).type) ??
    (lacksEntryTypes(existing) ? "a file system without d_type" : undefined);
  return { unfitFileSystem, userNamespace: isInUserNamespace(), features };
}

const DT_UNKNOWN = 0;
const { O_DIRECTORY, O_RDONLY } = constants;

/**
 * xfs made with ftype=0, ext4 without "filetype". The kernel mounts an overlay there, warns in its log,
 * and then shows whiteouts as files. A directory that is empty or may not be read tells nothing.
 */
function lacksEntryTypes(directory: string): boolean {
  let fd: number;
  try {
    fd = openSync(directory, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "EACCES")) return false;
    throw error;
  }
  try {
    const types = readEntryTypes(fd);
    return types.length > 0 && types.every((type) => type === DT_UNKNOWN);
  } finally {
    closeSync(fd);
  }
}

/** A directory that is not made yet will be on the file system of the nearest one above it. */
function nearest(directory: string): string {
  try {
    statfsSync(directory);
    return directory;
  } catch (error) {
    if (!hasErrno(error, "ENOENT") || directory === "/") throw error;
    return nearest(dirname(directory));
  }
}

const PARAMETERS = "/sys/module/overlay/parameters";
let features: ReadonlySet<OverlayFeature> | undefined;

/** A module that is not loaded yet tells nothing; its options are then left to its own defaults. */
function readFeatures(): ReadonlySet<OverlayFeature> {
  if (!existsSync(PARAMETERS)) return new Set();
  const present = new Set(readdirSync(PARAMETERS));
  return new Set(OVERLAY_FEATURES.filter((feature) => present.has(feature)));
}
