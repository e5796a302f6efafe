/**
 * A container's writable layer: the upper and overlayfs's work directory, side by side.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { UndoStack } from "../base/undo.ts";
import { removeTree } from "../ffi/index.ts";

export interface Upper {
  readonly dir: string;
  /** On the same file system; overlayfs wants it empty and to itself. */
  readonly work: string;
}

/** Where a container's upper is, below its directory. */
function upperBelow(directory: string): Upper {
  return { dir: join(directory, "upper"), work: join(directory, "work") };
}

/** Makes both directories; either may be left from a creation that was killed. */
export function createUpper(directory: string): Upper {
  using undo = new UndoStack();
  const upper = upperBelow(directory);
  // The upper's mode becomes the mode of the container's "/".
  mkdirSync(upper.dir, { recursive: true, mode: 0o755 });
  undo.defer(() => removeTree(upper.dir));
  mkdirSync(upper.work, { recursive: true, mode: 0o700 });
  undo.keep();
  return upper;
}

/** Removes the upper with all that the container has written; one that is gone is fine. */
export function removeUpper(directory: string): void {
  const { dir, work } = upperBelow(directory);
  removeTree(dir);
  removeTree(work);
}
