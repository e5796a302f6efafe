/**
 * A root as a mount that is attached nowhere: files of a stopped container can be reached through the
 * descriptor, and through nothing else. Closing it unmounts.
 */
import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { fsconfig, fsMessages, fsmount, fsopen, openTree } from "../ffi/index.ts";
import { overlayParameters, type RootMount } from "../spec/index.ts";

const OPEN_TREE_CLONE = 1;
const AT_FDCWD = -100;

/** The caller closes the descriptor. Throws OVERLAY_UNSUPPORTED with what the kernel said. */
export function openDetachedRoot(root: RootMount): number {
  if (root.kind === "bind") return openTree(AT_FDCWD, root.path, OPEN_TREE_CLONE);
  const [only] = root.lower;
  // A lone layer without an upper is no overlay for the kernel.
  if (only !== undefined && root.lower.length === 1 && !root.upper) {
    return openTree(AT_FDCWD, only, OPEN_TREE_CLONE);
  }
  const fs = fsopen("overlay");
  try {
    configure(fs, root, true);
    fsconfig(fs, { kind: "create" });
    return fsmount(fs);
  } catch (cause) {
    const said = fsMessages(fs).join("; ");
    throw new TsrunError("OVERLAY_UNSUPPORTED", "cannot mount the container's layers", {
      hint: said === "" ? "The kernel's log (dmesg) says why." : `The kernel says: ${said}`,
      cause,
    });
  } finally {
    closeSync(fs);
  }
}

function configure(
  fs: number,
  root: Extract<RootMount, { readonly kind: "overlay" }>,
  append: boolean,
): void {
  try {
    for (const { key, value } of overlayParameters(root, { append })) {
      fsconfig(fs, value === undefined ? { kind: "flag", key } : { kind: "string", key, value });
    }
  } catch (error) {
    // Before Linux 6.7 there is no "lowerdir+": all layers in one string.
    if (!append || !hasErrno(error, "EINVAL")) throw error;
    configure(fs, root, false);
  }
}
