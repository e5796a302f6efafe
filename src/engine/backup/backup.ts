/**
 * A container in one file: its record, its layers as they are above the image, its volumes, and on
 * request the image. The file is there whole or not at all.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { syncDirectory, writeFileAtomic } from "../../base/atomic-file.ts";
import { TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { openRoot } from "../../ffi/index.ts";
import { packBelow, packUpper } from "../../images/index.ts";
import { planBacking, readVolume, type VolumeRecord, volumePaths } from "../../volumes/index.ts";
import { whileFrozen } from "../commit.ts";
import { withContainer } from "../container.ts";
import { containerPaths, type Engine } from "../engine.ts";
import { saveImages } from "../images.ts";
import { currentUpper, layerPath, layersOf } from "../layers.ts";
import type { ContainerConfig, ContainerView, FrozenLayer } from "../records.ts";
import { inStore, storeError } from "../store/store-error.ts";
import { volumeNames } from "../volumes/requested.ts";
import { ArchiveReader, ArchiveWriter, HEADER } from "./archive.ts";
import { type Inventory, planChanges, readInventory } from "./inventory.ts";
import {
  type BackupHeader,
  type BackupManifest,
  encodeManifest,
  isBackupId,
  layerKey,
  parseHeader,
  parseManifest,
  type TreeHeader,
  volumeKey,
} from "./manifest.ts";
import { openSizedVolumes } from "./sized-volumes.ts";

export interface BackupOptions {
  /** The image's layers go into the file, too: it can be restored where the image is not known. */
  readonly withImage?: boolean;
  /** A backup of the same container, by its file or its id: only what has changed since is saved. */
  readonly since?: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes the backup of a container to `file`, which is replaced. A running container stands still meanwhile.
 * Answers the backup's id. Throws NO_SPACE, UNSUPPORTED for a container with --rootfs, ABORTED.
 */
export async function backupContainer(
  engine: Engine,
  ref: string,
  file: string,
  options: BackupOptions = {},
): Promise<string> {
  return withContainer(
    engine,
    ref,
    (container) => backupLocked(engine, container, file, options),
    options.signal,
  );
}

/** The caller holds the container's lock. */
export async function backupLocked(
  engine: Engine,
  container: ContainerView,
  file: string,
  { withImage = false, since, signal }: BackupOptions = {},
): Promise<string> {
  const { config } = container;
  if (!config.image) throw noImage(config);
  const base = since === undefined ? undefined : await readBase(engine, since, file, config);
  const id = randomBytes(16).toString("hex");
  const header: BackupHeader = { version: 1, id, ...(base ? { base: base.id } : {}) };
  await using output = openOutput(resolve(file));
  const volumes = volumesOf(engine, config);
  using sized = await openSizedVolumes(engine, volumes, signal);
  const trees = [...layerTrees(engine, config), ...volumeTrees(engine, volumes, sized.paths)];
  let inventories: Inventories = {};
  const save = async (writer: ArchiveWriter) => {
    await writer.addText(HEADER, JSON.stringify(header));
    const read = async () => {
      inventories = await writeTrees(engine, writer, trees, base?.inventories ?? {});
    };
    if (container.status === "running") await whileFrozen(engine, container, read);
    else await read();
    if (withImage) await writer.addStream("image", imageArchive(engine, config));
    const manifest: BackupManifest = {
      ...header,
      createdAt: new Date().toISOString(),
      container: config,
      trees: trees.map(({ name }) => name),
      volumes,
      withImage,
    };
    await writer.finish((digests) => encodeManifest(manifest, digests));
  };
  try {
    await output.write(save, signal);
    writeLast(engine, config, { id, inventories });
  } catch (error) {
    if (signal?.aborted)
      throw new TsrunError("ABORTED", "the backup was aborted", { cause: error });
    throw storeError("write", file, error);
  }
  return id;
}

function noImage({ name }: ContainerConfig): TsrunError {
  return new TsrunError("UNSUPPORTED", `the container "${name}" has no image to be a backup of`, {
    hint: "Its --rootfs is a directory of the host: save that directory.",
  });
}

/** By tree. */
type Inventories = Readonly<Record<string, Inventory>>;

/**
 * ROOT/containers/ID/last-backup.zst: what the last backup has found, so that the next one needs no more
 * than its id. One that cannot be kept costs only that.
 */
function lastPath(engine: Engine, { id }: ContainerConfig): string {
  return `${containerPaths(engine, id).dir}/last-backup.zst`;
}

function writeLast(engine: Engine, config: ContainerConfig, last: Base): void {
  try {
    const bytes = zstdCompressSync(JSON.stringify(last));
    writeFileAtomic(lastPath(engine, config), bytes, { mode: 0o600 });
  } catch (error) {
    engine.warn(`the next backup of "${config.name}" needs this one's file: ${String(error)}`);
  }
}

function readLast(engine: Engine, config: ContainerConfig, id: string): Base {
  const path = lastPath(engine, config);
  const last = existsSync(path)
    ? (JSON.parse(zstdDecompressSync(readFileSync(path)).toString()) as Base)
    : undefined;
  if (last?.id === id) return last;
  throw new TsrunError("NOT_FOUND", `the backup ${id} is not the last of "${config.name}"`, {
    hint: "Name its file instead: of earlier ones, and of other containers, tsrun keeps nothing.",
  });
}

interface Tree {
  readonly name: string;
  readonly kind: TreeHeader["kind"];
  readonly path: string;
}

/** Every layer above the image that the container or a snapshot of it stands on. */
function layerTrees(engine: Engine, config: ContainerConfig): readonly Tree[] {
  const { current, frozen, snapshots } = layersOf(config);
  const own: FrozenLayer = { container: config.id, number: current };
  const below = [...frozen, ...snapshots.flatMap((snapshot) => snapshot.frozen)];
  const layers = new Map(below.map((layer) => [layerKey(layer), layerPath(engine, layer)]));
  const upper = currentUpper(engine, config);
  if (upper && existsSync(upper.dir)) layers.set(layerKey(own), upper.dir);
  return [...layers].map(([name, path]) => ({ name, kind: "layer", path }));
}

/** Of those that are the store's own. */
function volumeTrees(
  engine: Engine,
  volumes: readonly VolumeRecord[],
  sized: ReadonlyMap<string, string>,
): readonly Tree[] {
  return volumes.flatMap(({ name, options }): readonly Tree[] => {
    const isDirectory = planBacking(options).kind === "directory";
    const path = isDirectory ? volumePaths(engine.root, name).data : sized.get(name);
    return path === undefined ? [] : [{ name: volumeKey(name), kind: "volume", path }];
  });
}

function volumesOf(engine: Engine, { request }: ContainerConfig): readonly VolumeRecord[] {
  return volumeNames(request).flatMap((name) => readVolume(engine.root, name) ?? []);
}

async function writeTrees(
  engine: Engine,
  writer: ArchiveWriter,
  trees: readonly Tree[],
  before: Inventories,
): Promise<Inventories> {
  const inventories: Record<string, Inventory> = {};
  for (const [number, { name, kind, path }] of trees.entries()) {
    const inventory = readInventory(path);
    const { includes, removed } = planChanges(before[name] ?? {}, inventory);
    inventories[name] = inventory;
    await writer.addText(`tree/${number}`, JSON.stringify({ name, kind, removed }));
    await writer.addStream(`trees/${number}`, packTree(engine, { kind, path }, includes));
    faultPoint();
  }
  await writer.addText("inventory", JSON.stringify(inventories));
  return inventories;
}

function packTree(
  engine: Engine,
  { kind, path }: Pick<Tree, "kind" | "path">,
  includes: (path: string) => boolean,
): Readable {
  const options = { includes, warn: (text: string) => engine.warn(text) };
  if (kind === "layer") return packUpper(path, options);
  return packBelow(openRoot(path), { path: "", name: "" }, options);
}

/** As `tsrun save --format oci-archive` writes it: with the manifest's digest kept. */
function imageArchive(engine: Engine, { image }: ContainerConfig): AsyncIterable<Uint8Array> {
  const archive = new PassThrough();
  saveImages(engine, [image?.id ?? ""], { format: "oci-archive", output: archive }).then(
    () => archive.end(),
    (error: unknown) => archive.destroy(error as Error),
  );
  return archive;
}

interface Base {
  readonly id: string;
  readonly inventories: Inventories;
}

/** What a backup says of itself; only the container's own may be built upon. */
async function readBase(
  engine: Engine,
  file: string,
  output: string,
  config: ContainerConfig,
): Promise<Base> {
  if (isBackupId(file) && !existsSync(file)) return readLast(engine, config, file);
  if (existsSync(output) && existsSync(file) && realpathSync(output) === realpathSync(file)) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      `the backup "${file}" would replace what it builds on`,
      {
        hint: "Write it to another file: both are needed to restore.",
      },
    );
  }
  const { manifest, inventories } = await readBackup(file);
  if (manifest.container.id !== config.id) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      `the backup "${file}" is of another container than "${config.name}"`,
      { hint: "A container that was restored is a new one: begin with a whole backup of it." },
    );
  }
  return { id: manifest.id, inventories };
}

export interface ReadBackup {
  readonly manifest: BackupManifest;
  readonly inventories: Inventories;
}

/** Reads all of it, and throws IMAGE_INVALID unless every member is what was saved. */
export async function readBackup(file: string): Promise<ReadBackup> {
  const reader = await ArchiveReader.open(createReadStream(file), file);
  parseHeader(await reader.readText(HEADER), file);
  let inventories: Record<string, Inventory> = {};
  while (reader.stream !== undefined && reader.stream !== "manifest") {
    if (reader.stream === "inventory") {
      inventories = JSON.parse(await reader.readText("inventory")) as typeof inventories;
    } else for await (const _piece of reader.read());
  }
  const manifest = await reader.finish((text) => parseManifest(text, file));
  return { manifest, inventories };
}

interface Output extends AsyncDisposable {
  readonly write: (
    save: (writer: ArchiveWriter) => Promise<void>,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
}

/** FILE.partial becomes FILE when it is complete, and goes when it is not. */
function openOutput(file: string): Output {
  const partial = `${file}.partial`;
  const undo = new UndoStack();
  inStore("write", file, () => writeFileSync(partial, "", { mode: 0o600 }));
  undo.defer(() => rmSync(partial, { force: true }));
  return {
    write: async (save, signal) => {
      const stream = createWriteStream(partial, signal ? { signal } : {});
      const writer = new ArchiveWriter(stream);
      try {
        await save(writer);
      } catch (error) {
        await writer.abandon();
        throw error;
      }
      sync(partial);
      faultPoint();
      renameSync(partial, file);
      faultPoint();
      undo.keep();
      syncDirectory(dirname(file));
    },
    [Symbol.asyncDispose]: () => undo[Symbol.asyncDispose](),
  };
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
