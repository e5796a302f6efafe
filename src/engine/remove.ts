import { rmdirSync, unlinkSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { removeTree } from "../ffi/index.ts";
import { isGone, withContainer } from "./container.ts";
import { releaseDisk } from "./disk/hold.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerConfig, ContainerId, ContainerView } from "./records.ts";
import { releaseRun } from "./release.ts";
import { ownersOf } from "./snapshots/plan.ts";
import { sweepLayers } from "./snapshots/sweep.ts";
import { stopLocked } from "./stop.ts";
import { removeConfig } from "./store/config.ts";
import { readNameLink, releaseName } from "./store/names.ts";
import { storeError } from "./store/store-error.ts";
import { forgetOwnVolumes, forgetRestoredVolumes, removeOwnVolumes } from "./volumes/claim.ts";
import { volumeMounts } from "./volumes/requested.ts";

export interface RemoveOptions {
  /** A running container is killed first. */
  readonly force?: boolean;
  /** With `force`: how long it may take to stop by itself; not at all without it. */
  readonly timeoutSeconds?: number;
  /** A container that does not exist is no error. */
  readonly ignoreMissing?: boolean;
  /** Also the volumes that were made for it alone. They always go with one that is removed when it ends. */
  readonly volumes?: boolean;
  /** A file: a running container is stopped, then saved there, and removed only if that went well. */
  readonly backup?: string;
  readonly signal?: AbortSignal;
}

/**
 * Removes the container with its writable layer and its logs. Returns its id, or undefined where
 * there was nothing to remove.
 */
export async function removeContainer(
  engine: Engine,
  ref: string,
  options: RemoveOptions = {},
): Promise<ContainerId | undefined> {
  try {
    return await withContainer(
      engine,
      ref,
      async (container) => {
        await stopForRemoval(engine, container, options);
        if (options.backup !== undefined) await saveStopped(engine, container, options);
        await deleteContainer(engine, container.config, options);
        return container.config.id;
      },
      options.signal,
      { disk: options.backup !== undefined },
    );
  } catch (error) {
    if (options.ignoreMissing && isGone(error)) return undefined;
    throw error;
  }
}

async function stopForRemoval(
  engine: Engine,
  container: ContainerView,
  { backup, force = false, timeoutSeconds, signal }: RemoveOptions,
): Promise<void> {
  const { config, status, state } = container;
  const alive = status === "running" || status === "paused";
  if (!alive || (!force && backup === undefined)) {
    checkLifecycle("remove", status, config);
    return;
  }
  if (backup !== undefined && config.request.remove) throw goesAnyway(config);
  // Only what is saved first is asked nicely.
  const limit = timeoutSeconds ?? (backup === undefined ? 0 : undefined);
  await stopLocked(engine, container, {
    ...(limit === undefined ? {} : { timeoutSeconds: limit }),
    ...(signal ? { signal } : {}),
  });
  await releaseRun(engine, config, state);
}

/** Made with --rm, it would be gone although it could not be saved. */
function goesAnyway({ name }: ContainerConfig): TsrunError {
  return new TsrunError("WRONG_STATE", `"${name}" is removed when it stops, saved or not`, {
    hint: `Save it while it runs: \`tsrun backup ${name} FILE\`.`,
  });
}

async function saveStopped(
  engine: Engine,
  { config, ...view }: ContainerView,
  { backup = "", signal }: RemoveOptions,
): Promise<void> {
  // Loaded when it is wanted: every run removes something.
  const { backupLocked } = await import("./backup/backup.ts");
  await backupLocked(
    engine,
    { ...view, config, status: "exited" },
    backup,
    signal ? { signal } : {},
  );
}

/**
 * Deletes what is kept of a container that does not run; the caller holds its lock. The record goes
 * first: what a kill leaves then is rubbish, which `system check --repair` finds.
 */
export async function deleteContainer(
  engine: Engine,
  config: ContainerConfig,
  { volumes = config.request.remove ?? false }: Pick<RemoveOptions, "volumes"> = {},
): Promise<void> {
  const { id, request } = config;
  const mounts = volumeMounts(request);
  const ownVolumes = mounts.some(({ anonymous }) => anonymous);
  faultPoint();
  if (mounts.length > 0) forgetRestoredVolumes(engine, id);
  if (ownVolumes && !volumes) forgetOwnVolumes(engine, id);
  removeConfig(engine, id);
  faultPoint();
  if (readNameLink(engine, config.name) === id) releaseName(engine, config.name);
  faultPoint();
  if (config.layers) {
    // Others may stand on layers of one that was ever frozen.
    if (ownVolumes) removeOwnVolumes(engine, id);
    await sweepLayers(engine, ownersOf(config), { held: id });
  } else {
    deleteContainerDirectory(engine, id, { ownVolumes });
  }
  recordEvent(engine, config, "remove");
}

/** What is left of a container without a record; the caller holds its lock. */
export function deleteContainerDirectory(
  engine: Engine,
  id: ContainerId,
  { ownVolumes = true }: { readonly ownVolumes?: boolean } = {},
): void {
  if (ownVolumes) removeOwnVolumes(engine, id);
  deleteTree(containerPaths(engine, id).dir);
}

/**
 * What a container that wrote nothing consists of, leaves first. The record has gone before; incompat
 * is the kernel's mark of a volatile overlay.
 */
const USUAL_FILES = ["exit.json", "container.log", "work/work/incompat/volatile/dirty"];
const USUAL_DIRECTORIES = [
  "work/work/incompat/volatile",
  "work/work/incompat",
  "work/work",
  "work",
  "upper",
  "",
];

/**
 * Deletes a directory and everything in it; one that is gone is fine. A container that wrote nothing
 * costs a few system calls.
 */
function deleteTree(directory: string): void {
  if (deleteUsual(directory)) return;
  releaseDisk(directory);
  removeTree(directory);
}

function deleteUsual(directory: string): boolean {
  try {
    for (const name of USUAL_FILES) ifThere(() => unlinkSync(`${directory}/${name}`));
    for (const name of USUAL_DIRECTORIES) ifThere(() => rmdirSync(`${directory}/${name}`));
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOTEMPTY", "EEXIST", "EISDIR", "ENOTDIR", "EPERM", "EBUSY")) return false;
    throw storeError("remove", directory, error);
  }
}

function ifThere(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
