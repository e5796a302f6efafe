/**
 * A container's files as one tree without a container: the root is mounted, but attached nowhere
 * (fsmount(2)), and is gone when the descriptor is closed. Nothing appears on the host.
 */
import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import {
  AT_FDCWD,
  fsconfig,
  fsMessages,
  fsmount,
  fsopen,
  KernelError,
  mountSetattr,
  openTree,
} from "../ffi/index.ts";
import { overlayParameters, type RootMount } from "../spec/index.ts";

const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_NODEV = 4;

/**
 * The merged tree as a directory descriptor for openat2(2) and the …InRoot calls. Devices in it cannot
 * be opened. A root with an upper can be written; nobody else may have it mounted (overlayfs.rst,
 * "Sharing and copying layers"), so never of a container that runs.
 * Throws OVERLAY_UNSUPPORTED with the kernel's own words. The caller closes the descriptor.
 */
export function mountDetached(root: RootMount): number {
  if (root.kind === "bind") return cloneTree(root.path, 0);
  const [only] = root.lower;
  if (root.lower.length === 1 && !root.upper && only !== undefined) {
    return cloneTree(only, MOUNT_ATTR_RDONLY); // no overlay for the kernel
  }
  const fs = fsopen("overlay");
  try {
    for (const { key, value } of overlayParameters(root, { append: acceptsAppend() })) {
      fsconfig(fs, value === undefined ? { kind: "flag", key } : { kind: "string", key, value });
    }
    fsconfig(fs, { kind: "create" });
    return fsmount(fs, MOUNT_ATTR_NODEV);
  } catch (cause) {
    const said = fsMessages(fs).map((message) => message.replace(/^[ewi] /, ""));
    throw new TsrunError(
      "OVERLAY_UNSUPPORTED",
      `cannot mount the overlay of "${root.upper?.dir ?? only}"${said.length > 0 ? `: ${said.join("; ")}` : ""}`,
      { cause, ...(cause instanceof KernelError ? { errno: cause.errno } : {}) },
    );
  } finally {
    closeSync(fs);
  }
}

function cloneTree(path: string, attributes: number): number {
  const fd = openTree(AT_FDCWD, path, OPEN_TREE_CLONE);
  try {
    mountSetattr({ dirFd: fd, path: "" }, { set: attributes | MOUNT_ATTR_NODEV });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

let appends: boolean | undefined;

/** "lowerdir+" is known since Linux 6.7; asked of a context that is not the one to be mounted. */
function acceptsAppend(): boolean {
  if (appends !== undefined) return appends;
  const fs = fsopen("overlay");
  try {
    fsconfig(fs, { kind: "string", key: "lowerdir+", value: "/" });
    appends = true;
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "ENOPARAM")) throw error;
    appends = false;
  } finally {
    closeSync(fs);
  }
  return appends;
}
