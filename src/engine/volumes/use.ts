/**
 * A container's volumes during a run: filled if they are new, mounted if they are file systems of their
 * own, and unmounted when nobody runs with them any more.
 */
import { TsrunError } from "../../base/errors.ts";
import type { UndoStack } from "../../base/undo.ts";
import type { RootMount } from "../../spec/index.ts";
import {
  type Backing,
  isMounted,
  isMountedBacking,
  listVolumes,
  lockVolume,
  mountVolume,
  planBacking,
  readVolume,
  unmountVolume,
  type VolumeRecord,
  volumePaths,
} from "../../volumes/index.ts";
import type { VolumeSource } from "../bundle/mounts.ts";
import type { Engine } from "../engine.ts";
import { recordVolumeEvent } from "../events/record.ts";
import type { ContainerConfig } from "../records.ts";
import { planRootAtStart } from "../root.ts";
import { hasRunDirectory } from "../store/state.ts";
import { inStore } from "../store/store-error.ts";
import { chownVolume } from "./chown.ts";
import { copyUp } from "./copy-up.ts";
import { type VolumeMount, volumeMounts, volumeNames } from "./requested.ts";
import { isVolumeUsed } from "./users.ts";

/** Whom everything in a volume is given to that is mounted with U. */
export type FindOwner = () => { readonly uid: number; readonly gid: number };

/**
 * Before a start. What is answered keeps others from unmounting what this run has mounted, until the
 * run is recorded. Throws NOT_FOUND for a volume that is gone.
 */
export async function prepareVolumes(
  engine: Engine,
  config: ContainerConfig,
  { owner, undo }: { readonly owner: FindOwner; readonly undo: UndoStack },
): Promise<Disposable> {
  const held = new DisposableStack();
  const mounts = volumeMounts(config.request);
  if (mounts.length === 0) return held;
  const root = planRootAtStart(engine, config);
  try {
    for (const name of volumeNames(config.request)) {
      const uses = mounts.filter((mount) => mount.name === name);
      if (isReady(readVolume(engine.root, name), uses)) continue;
      const lock = held.use(await lockVolume(engine.root, name, "exclusive"));
      const record = lock && readVolume(engine.root, name);
      if (!record) throw goneVolume(config, name);
      const backing = planBacking(record.options);
      const ready = await ensureMounted(engine, config, { record, backing, undo });
      for (const mount of uses) {
        await prepareVolume(engine, { record: ready, backing, mount, root, owner });
      }
      if (!isMountedBacking(backing)) lock[Symbol.dispose]();
    }
    return held;
  } catch (error) {
    held.dispose();
    throw error;
  }
}

/** The container's record keeps it from being removed, and there is nothing to be done. */
function isReady(record: VolumeRecord | undefined, uses: readonly VolumeMount[]): boolean {
  if (!record || uses.some(({ chown }) => chown)) return false;
  return record.copyUp === "done" && !isMountedBacking(planBacking(record.options));
}

function goneVolume({ name }: ContainerConfig, volume: string): TsrunError {
  return new TsrunError("NOT_FOUND", `the volume "${volume}" of the container "${name}" is gone`, {
    hint: `It was removed by hand: make it again with \`tsrun volume create ${volume}\`.`,
  });
}

async function ensureMounted(
  engine: Engine,
  config: ContainerConfig,
  {
    record,
    backing,
    undo,
  }: { readonly record: VolumeRecord; readonly backing: Backing; readonly undo: UndoStack },
): Promise<VolumeRecord> {
  if (!isMountedBacking(backing)) return record;
  undo.defer(() => releaseVolumes(engine, config));
  const paths = volumePaths(engine.root, record.name);
  if (isMounted(paths.data)) return record;
  await mountVolume(backing, paths);
  recordVolumeEvent(engine, record.name, "mount");
  // A tmpfs begins anew each time.
  return backing.kind === "mount" && backing.type === "tmpfs"
    ? { ...record, copyUp: "pending" }
    : record;
}

async function prepareVolume(
  engine: Engine,
  {
    record: before,
    backing,
    mount,
    root,
    owner,
  }: {
    readonly record: VolumeRecord;
    readonly backing: Backing;
    readonly mount: VolumeMount;
    readonly root: RootMount;
    readonly owner: FindOwner;
  },
): Promise<void> {
  const { name } = before;
  if (backing.kind === "bind") {
    if (mount.chown) throw foreignOwner(name, backing.path);
    return;
  }
  const fills = backing.kind !== "mount" || backing.type === "tmpfs";
  if (fills && before.copyUp !== "done") {
    const { data } = volumePaths(engine.root, name);
    await inStoreAsync(data, () => copyUp(engine, before, mount, root));
  }
  if (mount.chown) chownVolume(volumePaths(engine.root, name).data, owner());
}

async function inStoreAsync(path: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    inStore("fill", path, () => {
      throw error;
    });
  }
}

function foreignOwner(name: string, path: string): TsrunError {
  return new TsrunError(
    "INVALID_ARGUMENT",
    `the option "U" would change the owner of every file in "${path}", the volume "${name}"`,
    { hint: "It is a directory of the host: change its owner there.", origin: "mounts" },
  );
}

/** Where each volume is on the host. Looks only; a volume that is not there yet is where it will be. */
export function readVolumeSources(
  engine: Engine,
  { request }: ContainerConfig,
): ReadonlyMap<string, VolumeSource> {
  return new Map(volumeNames(request).map((name) => [name, readVolumeSource(engine, name)]));
}

function readVolumeSource(engine: Engine, name: string): VolumeSource {
  const record = readVolume(engine.root, name);
  const backing = planBacking(record?.options ?? {});
  const { data } = volumePaths(engine.root, name);
  if (backing.kind !== "bind") return { path: data, isOurs: true, options: [] };
  return { path: backing.path, isOurs: false, options: backing.options };
}

/** Where the volume's files are on the host, or will be. */
export function readVolumePath(engine: Engine, name: string): string {
  return readVolumeSource(engine, name).path;
}

/** After a run: unmounts what no other container runs with. The container has no run directory any more. */
export async function releaseVolumes(engine: Engine, { request }: ContainerConfig): Promise<void> {
  for (const name of volumeNames(request)) await releaseVolumeNamed(engine, name);
}

export async function releaseVolumeNamed(engine: Engine, name: string): Promise<void> {
  const seen = readVolume(engine.root, name);
  if (!seen || !isMountedBacking(planBacking(seen.options))) return;
  using held = await lockVolume(engine.root, name, "exclusive");
  const record = held && readVolume(engine.root, name);
  if (record) releaseVolume(engine, record);
}

/** The caller has the volume's lock, exclusive. */
export function releaseVolume(engine: Engine, { name, options }: VolumeRecord): void {
  const { data } = volumePaths(engine.root, name);
  if (!isMountedBacking(planBacking(options)) || !isUnusedMount(engine, name, data)) return;
  unmountVolume(data);
  recordVolumeEvent(engine, name, "unmount");
}

function isUnusedMount(engine: Engine, name: string, data: string): boolean {
  return isMounted(data) && !isVolumeUsed(engine, name, ({ id }) => hasRunDirectory(engine, id));
}

/** Volumes that are mounted, though no container runs with them. */
export function findUnusedMounts(
  engine: Engine,
  onDamaged: (error: TsrunError, path: string) => void,
): readonly { readonly name: string; readonly path: string }[] {
  const records = listVolumes(engine.root, (error, name) =>
    onDamaged(error, volumePaths(engine.root, name).dir),
  );
  return records.flatMap(({ name, options }) => {
    const { data: path } = volumePaths(engine.root, name);
    const mounts = isMountedBacking(planBacking(options));
    return mounts && isUnusedMount(engine, name, path) ? [{ name, path }] : [];
  });
}
