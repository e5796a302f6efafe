/**
 * The volumes of a container that is being made: those that are not there yet are made too, and none
 * can be removed before the container's record says that it uses it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import type { UndoStack } from "../../base/undo.ts";
import {
  createVolume,
  deleteVolume,
  lockVolume,
  parseVolumeName,
  tryLockVolume,
  type VolumeRecord,
} from "../../volumes/index.ts";
import { containerPaths, type Engine } from "../engine.ts";
import { recordVolumeEvent } from "../events/record.ts";
import type { ContainerId } from "../records.ts";
import type { ContainerRequest } from "../request.ts";
import { inStore } from "../store/store-error.ts";
import { volumeMounts } from "./requested.ts";
import { isVolumeUsed } from "./users.ts";

/** The request's volumes have names. What is answered is held until the container's record is written. */
export async function claimVolumes(
  engine: Engine,
  id: ContainerId,
  request: ContainerRequest,
  undo: UndoStack,
): Promise<Disposable> {
  const mounts = volumeMounts(request);
  const held = new DisposableStack();
  try {
    const anonymous = mounts.flatMap((mount) => (mount.anonymous ? [mount.name] : []));
    if (anonymous.length > 0) writeOwnVolumes(engine, id, anonymous);
    const names = new Map(mounts.map(({ name, anonymous: own }) => [name, own ?? false]));
    for (const [name, own] of [...names].sort()) {
      held.use(await claimVolume(engine, { name, anonymous: own }, undo));
    }
    return held;
  } catch (error) {
    held.dispose();
    throw error;
  }
}

/** Somebody may make or remove it at the same time. */
async function claimVolume(
  engine: Engine,
  { name, anonymous }: { readonly name: string; readonly anonymous: boolean },
  undo: UndoStack,
): Promise<Disposable> {
  for (;;) {
    const there = await lockVolume(engine.root, name, "shared");
    if (there) return there;
    const made = inStore("make the volume", name, () =>
      createVolume(engine.root, newVolume({ name, anonymous }), { kind: "directory" }),
    );
    if (!made) continue;
    undo.defer(() => removeUnused(engine, name));
    recordVolumeEvent(engine, name, "create");
    made[Symbol.dispose]();
  }
}

export function newVolume({
  name,
  anonymous = false,
  labels = {},
  options = {},
}: {
  readonly name: string;
  readonly anonymous?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
}): VolumeRecord {
  return {
    version: 1,
    name,
    driver: "local",
    createdAt: new Date().toISOString(),
    labels,
    options,
    anonymous,
    copyUp: "pending",
  };
}

/** Somebody else may have come to use it, or be about to: then it stays. */
export function removeUnused(engine: Engine, name: string): void {
  using held = tryLockVolume(engine.root, name);
  if (!held || isVolumeUsed(engine, name)) return;
  deleteVolume(engine.root, name);
  recordVolumeEvent(engine, name, "remove");
}

/**
 * ROOT/containers/ID/volumes.json: the volumes that were made for this container alone. It is there
 * before them and lasts longer, so that they go with whatever is left of the container.
 */
function ownVolumesPath(engine: Engine, id: ContainerId): string {
  return `${containerPaths(engine, id).dir}/volumes.json`;
}

function writeOwnVolumes(engine: Engine, id: ContainerId, names: readonly string[]): void {
  const path = ownVolumesPath(engine, id);
  inStore("write", path, () => writeFileSync(path, JSON.stringify(names), { mode: 0o600 }));
  faultPoint();
}

/**
 * ROOT/containers/ID/restored.json: the volumes that are being restored with the container. Until its
 * record is there they go with what is left of it; from then on the file says nothing.
 */
function restoredVolumesPath(engine: Engine, id: ContainerId): string {
  return `${containerPaths(engine, id).dir}/restored.json`;
}

export function writeRestoredVolumes(
  engine: Engine,
  id: ContainerId,
  names: readonly string[],
): void {
  const path = restoredVolumesPath(engine, id);
  inStore("write", path, () => writeFileSync(path, JSON.stringify(names), { mode: 0o600 }));
  faultPoint();
}

export function forgetRestoredVolumes(engine: Engine, id: ContainerId): void {
  const path = restoredVolumesPath(engine, id);
  inStore("remove", path, () => rmSync(path, { force: true }));
}

/** From now on they belong to nobody. Their container is about to go. */
export function forgetOwnVolumes(engine: Engine, id: ContainerId): void {
  const path = ownVolumesPath(engine, id);
  inStore("remove", path, () => rmSync(path, { force: true }));
}

/** Removes them, unless another container has come to use one. Their own has no record any more. */
export function removeOwnVolumes(engine: Engine, id: ContainerId): void {
  const names = [ownVolumesPath(engine, id), restoredVolumesPath(engine, id)].flatMap(readNames);
  for (const name of names) removeUnused(engine, name);
}

function readNames(path: string): readonly string[] {
  try {
    const names: unknown = JSON.parse(readFileSync(path, "utf8"));
    return Array.isArray(names) ? names.map((name) => parseVolumeName(String(name))) : [];
  } catch (error) {
    // Written while the container was being made, and perhaps not to its end: then there are none yet.
    if (hasErrno(error, "ENOENT") || error instanceof SyntaxError) return [];
    throw error;
  }
}
