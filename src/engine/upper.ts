/**
 * The container's writable layer between two runs: made, emptied, put aside and deleted.
 */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { removeTree } from "../ffi/index.ts";
import { createUpper, type Upper } from "../overlay/index.ts";
import type { Engine } from "./engine.ts";
import { currentUpper, rootModeOf } from "./layers.ts";
import type { ContainerConfig } from "./records.ts";
import { attributesLayer } from "./root.ts";
import { inStore } from "./store/store-error.ts";

/** Makes the writable layer what the next run is to find. The caller holds the container's lock. */
export function readyUpper(engine: Engine, config: ContainerConfig): void {
  const upper = currentUpper(engine, config);
  if (!upper) return;
  // overlayfs makes a directory in its work directory when it is mounted for the first time.
  const mayBeChanged = !existsSync(upper.dir) || existsSync(`${upper.work}/work`);
  if (rootModeOf(config) === "shared" && mayBeChanged) renewUpper(engine, config, upper);
  else renewWork(upper);
}

/** An empty layer instead of what the last run has left. */
function renewUpper(engine: Engine, config: ContainerConfig, upper: Upper): void {
  const below = attributesLayer(engine, config);
  inStore("renew", upper.dir, () => {
    for (const path of [upper.dir, upper.work]) discardTree(path);
    faultPoint();
    createUpper(upper, below);
  });
}

/**
 * A volatile overlay leaves a mark in its work directory, with which the kernel refuses the next mount:
 * after a crash of the machine the upper could be torn. Here it was this boot's run that ended.
 */
function renewWork({ work }: Upper): void {
  if (!existsSync(`${work}/work/incompat`)) return;
  inStore("renew", work, () => {
    removeTree(work);
    mkdirSync(work, { mode: 0o700 });
  });
}

/**
 * Gives a tree a name that says that it is to be deleted: what a kill leaves of it is known as rubbish.
 * undefined for one that is gone.
 */
export function setAside(path: string): string | undefined {
  if (path.endsWith(GONE)) return path;
  const gone = `${path}${GONE}`;
  faultPoint();
  removeTree(gone); // of an earlier one that was killed
  try {
    renameSync(path, gone);
    return gone;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

const GONE = ".gone";

function discardTree(path: string): void {
  const gone = setAside(path);
  faultPoint();
  if (gone !== undefined) removeTree(gone);
}
