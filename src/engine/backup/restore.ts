/**
 * From backups to a container. Everything is unpacked aside first, and compared with its digests; only
 * then the image is stored, and the container and its volumes come to be.
 */
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmdirSync,
} from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { openRoot, removeTree } from "../../ffi/index.ts";
import { ImageStore, loadImages, unpackTar } from "../../images/index.ts";
import {
  createVolume,
  planBacking,
  randomVolumeName,
  readVolume,
  type VolumeRecord,
} from "../../volumes/index.ts";
import { createLocked } from "../create.ts";
import { copyLayer } from "../disk/copy-layer.ts";
import { containerPaths, type Engine } from "../engine.ts";
import { recordVolumeEvent } from "../events/record.ts";
import { inspectImage, tagImage } from "../images.ts";
import { layersOf, ownLayer, upperPaths } from "../layers.ts";
import type { ContainerConfig, ContainerId, ContainerLayers, FrozenLayer } from "../records.ts";
import type { ContainerRequest, MountRequest } from "../request.ts";
import { resolveRoot } from "../root.ts";
import { inStore, storeError } from "../store/store-error.ts";
import {
  forgetRestoredVolumes,
  newVolume,
  removeUnused,
  writeRestoredVolumes,
} from "../volumes/claim.ts";
import { ArchiveReader, damaged, HEADER, MANIFEST } from "./archive.ts";
import {
  type BackupManifest,
  layerKey,
  parseHeader,
  parseManifest,
  parseTreeHeader,
  volumeKey,
} from "./manifest.ts";
import { createFilledImage } from "./sized-volumes.ts";
import { makeStaging } from "./staging.ts";
import { emptyOfAttributes, removeBelow } from "./tree.ts";

export interface RestoreOptions {
  /** Instead of the name that it had. */
  readonly name?: string;
  /** A volume that is there already is used as it is; without it, it is an error. */
  readonly ignoreVolumes?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Restores a container from a whole backup and those that were made since it, in their order. It is a new
 * container with a new id, and is not started. Throws IMAGE_INVALID for a backup that is damaged or does
 * not follow the one before it, NOT_FOUND for an image that is neither here nor in it, NAME_IN_USE,
 * NO_SPACE; then nothing is left.
 */
export async function restoreBackup(
  engine: Engine,
  files: readonly string[],
  options: RestoreOptions = {},
): Promise<ContainerConfig> {
  await using undo = new UndoStack();
  const staging = makeStaging(engine, undo);
  const stage: Stage = { engine, path: staging, trees: new Map(), signal: options.signal };
  let manifest: BackupManifest | undefined;
  for (const file of files) manifest = await stageBackup(stage, file, manifest?.id);
  if (!manifest) {
    throw new TsrunError("INVALID_ARGUMENT", "no backup is given", {
      hint: "Name the file, and after it those that were made since.",
    });
  }
  faultPoint();
  checkTrees(manifest, stage, files.at(-1) ?? "");
  await storeImage(stage, manifest);
  const config = await register(stage, manifest, options);
  return config;
}

interface Stage {
  readonly engine: Engine;
  readonly path: string;
  /** Where each tree is, by its name. */
  readonly trees: Map<string, string>;
  readonly signal: AbortSignal | undefined;
}

/** Unpacks one of them on top of those before it. */
async function stageBackup(
  stage: Stage,
  file: string,
  after: string | undefined,
): Promise<BackupManifest> {
  try {
    const reader = await ArchiveReader.open(createReadStream(file), file);
    const header = parseHeader(await reader.readText(HEADER), file);
    if (header.base !== after) throw doesNotFollow(file, header.base, after);
    while (reader.stream !== undefined && reader.stream !== MANIFEST) {
      if (stage.signal?.aborted) throw stage.signal.reason;
      await stageStream(stage, reader, file);
    }
    const manifest = await reader.finish((text) => parseManifest(text, file));
    if (manifest.id !== header.id || manifest.base !== header.base) {
      throw damaged(file, "is not the one that its manifest says");
    }
    return manifest;
  } catch (error) {
    if (stage.signal?.aborted) {
      throw new TsrunError("ABORTED", "the restore was aborted", { cause: error });
    }
    throw inBackup(storeError("restore", file, error), file);
  }
}

/** What the unpacking of a layer says of an image's archive. */
function inBackup(error: unknown, file: string): unknown {
  if (!(error instanceof TsrunError) || error.code !== "IMAGE_INVALID") return error;
  if (error.message.startsWith("the backup ")) return error;
  return damaged(file, `cannot be unpacked: ${error.message}`, error);
}

function doesNotFollow(
  file: string,
  base: string | undefined,
  after: string | undefined,
): TsrunError {
  const what =
    base === undefined
      ? "is a whole backup, and begins a chain of its own"
      : after === undefined
        ? `has only what changed since the backup ${base}`
        : `was not made since the one before it (${after}), but since ${base}`;
  return new TsrunError("INVALID_ARGUMENT", `the backup "${file}" ${what}`, {
    hint: "Give the whole backup first, then each that was made since, in their order.",
  });
}

async function stageStream(stage: Stage, reader: ArchiveReader, file: string): Promise<void> {
  const { stream = "" } = reader;
  if (/^tree\/\d+$/.test(stream)) {
    await stageTree(stage, reader, file);
    return;
  }
  if (stream === "image") {
    await pipeline(reader.read(), createWriteStream(`${stage.path}/image`, { mode: 0o600 }));
    return;
  }
  if (stream !== "inventory") throw damaged(file, `has a part "${stream}" that no backup has`);
  for await (const _piece of reader.read());
}

async function stageTree(stage: Stage, reader: ArchiveReader, file: string): Promise<void> {
  const { stream = "" } = reader;
  const { name, kind, removed } = parseTreeHeader(await reader.readText(stream), file);
  const contents = stream.replace("tree/", "trees/");
  if (reader.stream !== contents) throw damaged(file, `has nothing of its tree "${name}"`);
  let path = stage.trees.get(name);
  if (path === undefined) {
    path = `${stage.path}/tree-${stage.trees.size}`;
    mkdirSync(path, { mode: 0o755 });
    stage.trees.set(name, path);
  } else {
    removeBelow(path, removed);
    emptyOfAttributes(path);
  }
  const archive = Readable.from(reader.read(), { objectMode: false });
  await unpackTar(archive, openRoot(path), {
    whiteouts: kind === "layer",
    ...(stage.signal ? { signal: stage.signal } : {}),
  });
  faultPoint();
}

function checkTrees({ trees }: BackupManifest, stage: Stage, file: string): void {
  const missing = trees.find((name) => !stage.trees.has(name));
  if (missing !== undefined) throw damaged(file, `lacks its tree "${missing}"`);
}

/** The image that the container was made from: here already, or in the backup. */
async function storeImage(
  { engine, path, signal }: Stage,
  manifest: BackupManifest,
): Promise<void> {
  const { id, reference } = imageOf(manifest.container);
  if (hasImage(engine, id)) return;
  const archive = `${path}/image`;
  if (!existsSync(archive)) {
    throw new TsrunError("NOT_FOUND", `the image "${reference}" of the container is not here`, {
      hint: `Pull or load the one with the id ${id.slice(0, 12)}, or make the backup with --with-image.`,
    });
  }
  const options = { names: false, ...(signal ? { signal } : {}) };
  await loadImages(new ImageStore(engine.root), archive, options);
  if (!hasImage(engine, id)) throw damaged(manifest.id, "has another image than the container's");
  if (!hasImage(engine, reference)) await tagImage(engine, id, reference);
}

function imageOf({ image }: ContainerConfig): NonNullable<ContainerConfig["image"]> {
  if (image) return image;
  throw new Error("a backup's container has an image: it was looked for");
}

function hasImage(engine: Engine, ref: string): boolean {
  try {
    inspectImage(engine, ref);
    return true;
  } catch (error) {
    if (error instanceof TsrunError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

async function register(
  stage: Stage,
  manifest: BackupManifest,
  { name, ignoreVolumes = false }: RestoreOptions,
): Promise<ContainerConfig> {
  const { engine } = stage;
  const { container } = manifest;
  const volumes = planVolumes(engine, manifest, ignoreVolumes);
  const request: ContainerRequest = {
    ...container.request,
    name: name ?? container.name,
    ...(container.request.mounts
      ? { mounts: container.request.mounts.map((mount) => renamed(mount, volumes)) }
      : {}),
  };
  tellOfHost(engine, request, volumes);
  const root = resolveRoot(engine, { ...request, image: imageOf(container).id });
  await using undo = new UndoStack();
  const images = await makeImages(stage, volumes, undo);
  const { config, held } = await createLocked(engine, request, {
    root,
    fill: (id, undoCreate) => {
      fillVolumes(stage, id, { volumes, images }, undoCreate);
      const layers = fillLayers(stage, container, id);
      return layers ? { layers } : {};
    },
  });
  using _held = held;
  faultPoint();
  forgetRestoredVolumes(engine, config.id);
  return config;
}

interface PlannedVolume {
  readonly record: VolumeRecord;
  /** What it is called from now on: an anonymous one gets a new name. */
  readonly name: string;
  /** It is there already, and is used as it is. */
  readonly exists: boolean;
}

/** Throws NAME_IN_USE for one that is there already, unless that is wanted. */
function planVolumes(
  engine: Engine,
  { volumes }: BackupManifest,
  ignoreVolumes: boolean,
): ReadonlyMap<string, PlannedVolume> {
  const planned = volumes.map((record): PlannedVolume => {
    const name = record.anonymous ? randomVolumeName() : record.name;
    return { record, name, exists: readVolume(engine.root, name) !== undefined };
  });
  const there = planned.filter(({ exists }) => exists).map(({ name }) => name);
  if (there.length > 0 && !ignoreVolumes) {
    throw new TsrunError(
      "NAME_IN_USE",
      `the backup has ${there.length === 1 ? "a volume" : "volumes"} that ${there.length === 1 ? "is" : "are"} here already: ${there.join(", ")}`,
      { hint: "Use --ignore-volumes to keep what is here, or remove it with `tsrun volume rm`." },
    );
  }
  return new Map(planned.map((volume) => [volume.record.name, volume]));
}

function renamed(mount: MountRequest, volumes: ReadonlyMap<string, PlannedVolume>): MountRequest {
  if (mount.type !== "volume") return mount;
  const name = volumes.get(mount.name ?? "")?.name ?? mount.name;
  return name === undefined ? mount : { ...mount, name };
}

/** What a backup says is done by root: who restores one should know what it is given of the host. */
function tellOfHost(
  engine: Engine,
  { mounts = [], privileged, devices = [] }: ContainerRequest,
  volumes: ReadonlyMap<string, PlannedVolume>,
): void {
  const given = [
    ...(privileged ? ["every device and privilege"] : []),
    ...mounts.flatMap((mount) => (mount.type === "bind" ? [mount.source] : [])),
    ...devices.map(({ source }) => source),
    ...[...volumes.values()].flatMap(ofHost),
  ];
  if (given.length === 0) return;
  engine.warn(`the restored container is given of this host: ${given.join(", ")}`);
}

/** The volumes with a size, as files by name: they are made, and filled, where nobody looks for them. */
async function makeImages(
  { path, trees }: Stage,
  volumes: ReadonlyMap<string, PlannedVolume>,
  undo: UndoStack,
): Promise<ReadonlyMap<string, string>> {
  const images = new Map<string, string>();
  for (const { record, name, exists } of volumes.values()) {
    const backing = planBacking(record.options);
    if (exists || backing.kind !== "image") continue;
    const image = `${path}/image-${images.size}`;
    await createFilledImage(image, backing, trees.get(volumeKey(record.name)), undo);
    images.set(name, image);
  }
  return images;
}

function ofHost({ record, exists }: PlannedVolume): readonly string[] {
  const backing = planBacking(record.options);
  if (exists) return [];
  if (backing.kind === "bind") return [backing.path];
  return backing.kind === "mount" && backing.type !== "tmpfs" ? [backing.device] : [];
}

function fillVolumes(
  stage: Stage,
  id: ContainerId,
  {
    volumes,
    images,
  }: {
    readonly volumes: ReadonlyMap<string, PlannedVolume>;
    readonly images: ReadonlyMap<string, string>;
  },
  undo: UndoStack,
): void {
  const { engine } = stage;
  const made = [...volumes.values()].filter(({ exists }) => !exists);
  if (made.length === 0) return;
  writeRestoredVolumes(
    engine,
    id,
    made.map(({ name }) => name),
  );
  for (const { record, name } of made) {
    const lock = inStore("make the volume", name, () =>
      fillVolume(stage, { record, name, image: images.get(name) }),
    );
    if (!lock) {
      throw new TsrunError("NAME_IN_USE", `there is a volume "${name}" already`, {
        hint: "Somebody has just made it: try again.",
      });
    }
    undo.defer(() => removeUnused(engine, name));
    recordVolumeEvent(engine, name, "create");
    lock[Symbol.dispose]();
  }
}

function fillVolume(
  { engine, trees }: Stage,
  {
    record,
    name,
    image,
  }: { readonly record: VolumeRecord; readonly name: string; readonly image: string | undefined },
): Disposable | undefined {
  const { labels, options, anonymous } = record;
  const tree = trees.get(volumeKey(record.name));
  // One that was never used is filled from the image when it is, as it would have been.
  const copyUp = tree === undefined ? "pending" : record.copyUp;
  const volume = { ...newVolume({ name, labels, options, anonymous }), copyUp };
  return createVolume(engine.root, volume, planBacking(options), (directory) => {
    if (image !== undefined) renameSync(image, `${directory}/disk.img`);
    else if (tree !== undefined) renameSync(tree, `${directory}/_data`); // onto an empty one
  });
}

/** The layers of all its snapshots become the new container's own, with new numbers. */
function fillLayers(
  { engine, trees }: Stage,
  container: ContainerConfig,
  id: ContainerId,
): ContainerLayers | undefined {
  const { current, frozen, snapshots } = layersOf(container);
  const numbers = new Map<string, number>();
  for (const layer of [...frozen, ...snapshots.flatMap((snapshot) => snapshot.frozen)]) {
    const key = layerKey(layer);
    if (!numbers.has(key)) numbers.set(key, numbers.size);
  }
  const uppermost = layerKey({ container: container.id, number: current });
  const own = (number: number) => ownLayer({ id, request: container.request }, number);
  const { dir, work } = upperPaths(engine, own(0));
  inStore("fill", containerPaths(engine, id).dir, () => {
    if (trees.has(uppermost) || numbers.size > 0) {
      removeEmpty(dir);
      removeEmpty(work);
    }
    for (const [key, number] of [...numbers, [uppermost, numbers.size] as const]) {
      const tree = trees.get(key);
      const place = upperPaths(engine, own(number));
      if (tree !== undefined) moveTree(tree, place.dir);
      else if (key === uppermost && numbers.size > 0) mkdirSync(place.dir, { mode: 0o755 });
      if (key === uppermost) mkdirSync(place.work, { mode: 0o700, recursive: true });
      faultPoint();
    }
  });
  if (numbers.size === 0) return undefined;
  const mapped = (layer: FrozenLayer) => own(numbers.get(layerKey(layer)) ?? 0);
  return {
    current: numbers.size,
    frozen: frozen.map(mapped),
    snapshots: snapshots.map((snapshot) => ({ ...snapshot, frozen: snapshot.frozen.map(mapped) })),
  };
}

/** Onto a disk of the container's own only a copy can go. */
function moveTree(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, "EXDEV")) throw error;
    copyLayer(from, to);
    removeTree(from);
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error; // its root is in memory
  }
}
