/**
 * Volumes as the engine's user names them.
 */
import { createReadStream, renameSync } from "node:fs";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { openRoot } from "../../ffi/index.ts";
import { checkArchive, decompress, packBelow, treeSize, unpackTar } from "../../images/index.ts";
import {
  type Backing,
  createVolume as createInStore,
  deleteVolume,
  isMounted,
  isMountedBacking,
  listVolumes as listInStore,
  lockVolume,
  mountVolume,
  parseVolumeName,
  planBacking,
  randomVolumeName,
  readVolume,
  type VolumeRecord,
  volumePaths,
  writeVolume,
} from "../../volumes/index.ts";
import { makeStaging } from "../backup/staging.ts";
import { createImage } from "../disk/image.ts";
import type { Engine } from "../engine.ts";
import { recordVolumeEvent } from "../events/record.ts";
import type { ContainerConfig } from "../records.ts";
import { removeContainer } from "../remove.ts";
import { inStore, storeError } from "../store/store-error.ts";
import { newVolume } from "./claim.ts";
import { releaseVolume } from "./use.ts";
import { readVolumeUsers } from "./users.ts";

/** A volume as commands show it. */
export interface VolumeView extends Omit<VolumeRecord, "version" | "copyUp"> {
  /** Where its files are on the host; of a tmpfs or a device only while it is mounted. */
  readonly mountpoint: string;
  readonly mounted: boolean;
  /** Nothing of an image has been copied into it yet. */
  readonly needsCopyUp: boolean;
  /** The containers that use it, running or not. */
  readonly users: readonly { readonly id: string; readonly name: string }[];
}

export interface VolumeCreation {
  /** A random one without it. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The local driver's: type, device, o. */
  readonly options?: Readonly<Record<string, string>>;
  /** One that is there already is fine. */
  readonly ignoreExisting?: boolean;
}

/** Throws NAME_IN_USE, INVALID_ARGUMENT. Answers its name. */
export async function createVolume(engine: Engine, creation: VolumeCreation = {}): Promise<string> {
  const { labels = {}, options = {}, ignoreExisting = false } = creation;
  const name = creation.name === undefined ? randomVolumeName() : parseVolumeName(creation.name);
  const backing = planBacking(options);
  const anonymous = false;
  const record = newVolume({ name, anonymous, labels, options });
  await using undo = new UndoStack();
  const image = backing.kind === "image" ? await makeImage(engine, backing, undo) : undefined;
  const made = inStore("make the volume", name, () =>
    createInStore(engine.root, record, backing, (directory) => {
      if (image !== undefined) renameSync(image, `${directory}/disk.img`);
    }),
  );
  if (made) {
    recordVolumeEvent(engine, name, "create");
    made[Symbol.dispose]();
    return name;
  }
  if (ignoreExisting) return name;
  throw new TsrunError("NAME_IN_USE", `there is a volume "${name}" already`, {
    hint: "Use it, choose another name, or add --ignore where it may be there.",
  });
}

/** Where nobody looks for it: making a file system takes its time. */
async function makeImage(
  engine: Engine,
  { sizeBytes }: Extract<Backing, { readonly kind: "image" }>,
  undo: UndoStack,
): Promise<string> {
  const image = `${makeStaging(engine, undo)}/disk.img`;
  await createImage(image, { sizeBytes }, undo);
  return image;
}

export interface VolumeFilters {
  /** A part of the name. */
  readonly name?: readonly string[];
  /** "key" or "key=value". */
  readonly label?: readonly string[];
  readonly driver?: readonly string[];
  /** "key" or "key=value" of its options. */
  readonly opt?: readonly string[];
  /** "true": no container uses it. */
  readonly dangling?: readonly string[];
  /** "true": made for one container that did not name it. */
  readonly anonymous?: readonly string[];
}

/** By name. One whose record is damaged is told of and left out. */
export function listVolumes(engine: Engine, filters: VolumeFilters = {}): readonly VolumeView[] {
  const users = readVolumeUsers(engine);
  const records = inStore("read the volumes of", engine.root, () =>
    listInStore(engine.root, (error) => engine.warn(error.message)),
  );
  return records
    .map((record) => viewOf(engine, record, users.get(record.name)))
    .filter((view) => fits(view, filters));
}

function viewOf(
  engine: Engine,
  record: VolumeRecord,
  users: readonly ContainerConfig[] = [],
): VolumeView {
  const { name, driver, createdAt, labels, options, anonymous, copyUp } = record;
  const backing = planBacking(options);
  const { data } = volumePaths(engine.root, name);
  return {
    ...{ name, driver, createdAt, labels, options, anonymous },
    mountpoint: backing.kind === "bind" ? backing.path : data,
    mounted: isMountedBacking(backing) && isMounted(data),
    needsCopyUp: copyUp !== "done",
    users: users.map(({ id, name: user }) => ({ id, name: user })),
  };
}

type Test = (view: VolumeView, value: string) => boolean;

const TESTS: Readonly<Record<keyof VolumeFilters, Test>> = {
  name: ({ name }, value) => name.includes(value),
  label: ({ labels }, value) => hasEntry(labels, value),
  driver: ({ driver }, value) => driver === value,
  opt: ({ options }, value) => hasEntry(options, value),
  dangling: ({ users }, value) => String(users.length === 0) === value,
  anonymous: ({ anonymous }, value) => String(anonymous) === value,
};

/** Of each key, one of the values has to fit; every key has to. */
function fits(view: VolumeView, filters: VolumeFilters): boolean {
  return (Object.keys(TESTS) as (keyof VolumeFilters)[]).every((key) => {
    const values = filters[key];
    return values === undefined || values.some((value) => TESTS[key](view, value));
  });
}

function hasEntry(entries: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return wanted in entries;
  return entries[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** By its name, or a beginning that only its name has. Throws NOT_FOUND, AMBIGUOUS_NAME. */
export function inspectVolume(engine: Engine, ref: string): VolumeView {
  const record = findVolume(engine, ref);
  return viewOf(engine, record, readVolumeUsers(engine).get(record.name));
}

function findVolume(engine: Engine, ref: string): VolumeRecord {
  const exact = isName(ref) ? readVolume(engine.root, ref) : undefined;
  if (exact) return exact;
  const fitting = listInStore(engine.root, () => undefined).filter(
    ({ name }) => ref !== "" && name.startsWith(ref),
  );
  const [only, another] = fitting;
  if (only === undefined) {
    throw new TsrunError("NOT_FOUND", `there is no volume "${ref}"`, {
      hint: "`tsrun volume ls` lists them.",
    });
  }
  if (another === undefined) return only;
  throw new TsrunError("AMBIGUOUS_NAME", `"${ref}" is the beginning of ${fitting.length} volumes`, {
    hint: "Write more of the one that is meant.",
  });
}

function isName(ref: string): boolean {
  try {
    parseVolumeName(ref);
    return true;
  } catch (error) {
    if (error instanceof TsrunError) return false;
    throw error;
  }
}

export interface RemoveVolumeOptions {
  /** The containers that use it are removed with it, killed if they run; a missing volume is fine. */
  readonly force?: boolean;
  /** With `force`: how long containers may take to stop by themselves; not at all without it. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Throws WRONG_STATE, naming them, if containers use it. Answers its name; undefined if there was none. */
export async function removeVolume(
  engine: Engine,
  ref: string,
  options: RemoveVolumeOptions = {},
): Promise<string | undefined> {
  const name = nameOf(engine, ref, options);
  if (name === undefined) return undefined;
  if (options.force) await removeUsers(engine, name, options);
  using held = await lockVolume(engine.root, name, "exclusive", options.signal);
  const record = held && readVolume(engine.root, name);
  // An anonymous one may have gone with its container.
  if (!record) return name;
  const users = readVolumeUsers(engine).get(name) ?? [];
  if (users.length > 0) throw inUse(name, users);
  releaseVolume(engine, record);
  inStore("remove the volume", name, () => deleteVolume(engine.root, name));
  recordVolumeEvent(engine, name, "remove");
  return name;
}

/** undefined for a volume that is missing and may be. */
function nameOf(engine: Engine, ref: string, { force }: RemoveVolumeOptions): string | undefined {
  try {
    return findVolume(engine, ref).name;
  } catch (error) {
    if (force && error instanceof TsrunError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

async function removeUsers(
  engine: Engine,
  name: string,
  { timeoutSeconds, signal }: RemoveVolumeOptions,
): Promise<void> {
  for (const { id } of readVolumeUsers(engine).get(name) ?? []) {
    await removeContainer(engine, id, {
      ...{ force: true, ignoreMissing: true },
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(signal ? { signal } : {}),
    });
  }
}

function inUse(volume: string, users: readonly ContainerConfig[]): TsrunError {
  const names = users.map(({ name }) => name).sort();
  return new TsrunError(
    "WRONG_STATE",
    `the volume "${volume}" is used by ${names.length === 1 ? "the container" : "the containers"} ${names.join(", ")}`,
    { hint: `Remove them first with \`tsrun rm ${names.join(" ")}\`, or use --force.` },
  );
}

export interface PrunedVolumes {
  readonly names: readonly string[];
  readonly freed: number;
}

/** Removes the volumes that no container uses. A directory of the host behind one stays. */
export async function pruneVolumes(
  engine: Engine,
  filters: VolumeFilters = {},
): Promise<PrunedVolumes> {
  const names: string[] = [];
  let freed = 0;
  for (const { name } of listVolumes(engine, { ...filters, dangling: ["true"] })) {
    const size = readVolumeSize(engine, name);
    try {
      if ((await removeVolume(engine, name)) === undefined) continue;
    } catch (error) {
      // A container has come to use it, or somebody was faster.
      if (error instanceof TsrunError && ["WRONG_STATE", "NOT_FOUND"].includes(error.code))
        continue;
      throw error;
    }
    names.push(name);
    freed += size;
  }
  return { names, freed };
}

/** Bytes of disk in the store; a directory of the host behind it does not count. */
export function readVolumeSize(engine: Engine, name: string): number {
  return treeSize(volumePaths(engine.root, name).dir, new Set());
}

/** The volume's files as a tar archive. Nobody removes it meanwhile; who writes in it is not stopped. */
export async function exportVolume(engine: Engine, ref: string, output: Writable): Promise<void> {
  await withFiles(engine, ref, "shared", async (path) => {
    const archive = packBelow(openRoot(path), { path: "", name: "" });
    // The archive's own pipe() would end the caller's stream: it knows no `end`.
    await pipeline(Readable.from(archive, { objectMode: false }), output, { end: false });
  });
}

/**
 * Unpacks a tar archive, plain or compressed, into the volume, beside what is there. Throws IMAGE_INVALID for
 * an archive that is damaged or leads outside; what was unpacked before stays.
 */
export async function importVolume(
  engine: Engine,
  ref: string,
  source: string | Readable,
): Promise<void> {
  await withFiles(engine, ref, "exclusive", async (path, record) => {
    // From now on it has contents of its own.
    if (record.copyUp !== "done") writeVolume(engine.root, { ...record, copyUp: "done" });
    const [input, shown] =
      typeof source === "string" ? [createReadStream(source), source] : [source, "the input"];
    try {
      const { tar } = await decompress(checkArchive(input, shown));
      await unpackTar(tar, openRoot(path), { whiteouts: false });
    } catch (error) {
      if (typeof source === "string" && hasErrno(error, "ENOENT")) {
        throw new TsrunError("NOT_FOUND", `there is no archive "${source}"`, { cause: error });
      }
      throw storeError("import into the volume", record.name, error);
    }
    faultPoint();
  });
}

async function withFiles(
  engine: Engine,
  ref: string,
  kind: "shared" | "exclusive",
  use: (path: string, record: VolumeRecord) => Promise<void>,
): Promise<void> {
  const { name, options } = findVolume(engine, ref);
  const mounts = isMountedBacking(planBacking(options));
  using held = await lockVolume(engine.root, name, mounts ? "exclusive" : kind);
  const record = held && readVolume(engine.root, name);
  if (!record) throw new TsrunError("NOT_FOUND", `there is no volume "${name}" any more`);
  const backing = planBacking(record.options);
  if (backing.kind === "bind") return use(backing.path, record);
  const paths = volumePaths(engine.root, name);
  const { data } = paths;
  if (backing.kind === "directory" || isMounted(data)) return use(data, record);
  await mountVolume(backing, paths);
  try {
    await use(data, record);
  } finally {
    releaseVolume(engine, record);
  }
}
