/**
 * An image so far as a root that can be written to: its layers below a new upper, mounted where nobody sees
 * it. What was written is then in the upper.
 */
import { chmodSync, chownSync, closeSync, statSync } from "node:fs";
import { join } from "node:path";
import { openRoot, removeTree } from "../ffi/index.ts";
import type { Draft, ImageDrafts } from "../images/index.ts";
import { createUpper, openDetachedRoot, planOverlay, probeOverlay } from "../overlay/index.ts";

export class StepRoot implements Disposable {
  /** The root, open: paths are resolved below it. */
  readonly fd: number;
  readonly upper: string;
  readonly #directory: string;
  #isOpen: boolean = true;

  constructor(drafts: ImageDrafts, { directories, rootLayer }: Draft) {
    this.#directory = drafts.makeDirectory("step");
    const upper = { dir: join(this.#directory, "upper"), work: join(this.#directory, "work") };
    createUpper(upper, rootLayer);
    this.upper = upper.dir;
    // The kernel takes no overlay without a lower layer.
    this.fd =
      directories.length === 0
        ? openRoot(upper.dir)
        : openDetachedRoot(
            planOverlay({
              ...{ layers: directories, upper, volatile: true },
              facts: probeOverlay(this.#directory),
            }),
          );
  }

  /** Nothing more is written: the upper may be read. */
  close(): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }

  [Symbol.dispose](): void {
    this.close();
    removeTree(this.#directory);
  }
}

/** The same to look at only. */
export function openReadOnlyRoot(drafts: ImageDrafts, { directories }: Draft): number {
  if (directories.length === 0) return openRoot(drafts.makeDirectory("empty"));
  const facts = probeOverlay(drafts.workDirectory);
  return openDetachedRoot(planOverlay({ layers: directories, facts }));
}

/** A directory as a new one of this owner. */
export function setOwner(
  path: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): void {
  const now = statSync(path);
  if (now.uid !== uid || now.gid !== gid) chownSync(path, uid, gid);
  chmodSync(path, mode);
}
