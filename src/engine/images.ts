/**
 * Images as the engine's user names them: the image store, and what containers have to do with it.
 */
import type { Writable } from "node:stream";
import { TsrunError } from "../base/errors.ts";
import {
  completeName,
  findName,
  formatReference,
  type ImageLayer,
  ImageStore,
  type ImportOptions,
  imageLayers,
  imageSize,
  importImage as importIntoStore,
  type LoadOptions,
  loadImages as loadIntoStore,
  type NameVersion,
  nameVersions,
  type PrunedImages,
  type PullOptions,
  type PushedImage,
  type PushOptions,
  parseReference,
  promoteName,
  pruneImages as pruneStore,
  pullImage as pullIntoStore,
  pushImage as pushFromStore,
  readStoreUsage,
  removeImage as removeFromStore,
  resolveImage,
  type SaveFormat,
  type StoredImage,
  type StoreUsage,
  saveDirectory,
  saveImages as saveFromStore,
  tagImage as tagInStore,
} from "../images/index.ts";
import type { Engine } from "./engine.ts";
import { recordImageEvent } from "./events/record.ts";
import type { ContainerRequest } from "./request.ts";
import { listContainerIds, readConfig } from "./store/config.ts";

/** A directory, a tar archive or "-" for one on stdin becomes an image of one layer with this name. */
export async function importImage(
  engine: Engine,
  source: string,
  name: string,
  options: ImportOptions = {},
): Promise<StoredImage> {
  const image = await importIntoStore(new ImageStore(engine.root), source, name, options);
  recordImageEvent(engine, { id: image.id, name: wholeName(name) }, "import");
  return image;
}

function wholeName(name: string): string {
  return formatReference(parseReference(name));
}

export function listImages(engine: Engine): readonly StoredImage[] {
  return new ImageStore(engine.root).images();
}

/** Throws NOT_FOUND, AMBIGUOUS_NAME. */
export function inspectImage(engine: Engine, ref: string): StoredImage {
  return resolveImage(new ImageStore(engine.root), ref);
}

/**
 * What was typed, or where only registries.conf says which image a short name stands for, the whole
 * name. The other functions take what this answers.
 */
export function completeImageName(engine: Engine, ref: string): Promise<string> {
  return completeName(new ImageStore(engine.root), ref);
}

/** Bytes of its unpacked archives. */
export function readImageSize(engine: Engine, image: StoredImage): number {
  return imageSize(new ImageStore(engine.root), image);
}

/** The lowest first. */
export function listImageLayers(engine: Engine, image: StoredImage): readonly ImageLayer[] {
  return imageLayers(new ImageStore(engine.root), image);
}

/** Throws WRONG_STATE for an image whose layers a container stands on. */
export async function removeImage(
  engine: Engine,
  ref: string,
): Promise<Awaited<ReturnType<typeof removeFromStore>>> {
  const store = new ImageStore(engine.root);
  const { id } = resolveImage(store, ref);
  const gone = await removeFromStore(store, ref, { used: usedImages(engine) });
  for (const name of gone.untagged) recordImageEvent(engine, { id, name }, "untag");
  if (gone.removed) recordImageEvent(engine, { id, name: gone.untagged[0] }, "remove");
  return gone;
}

export async function tagImage(engine: Engine, ref: string, name: string): Promise<void> {
  const store = new ImageStore(engine.root);
  const { id } = resolveImage(store, ref);
  await tagInStore(store, ref, name);
  recordImageEvent(engine, { id, name: wholeName(name) }, "tag");
}

/** What the name points to and has pointed to, the newest first. */
export function listImageVersions(engine: Engine, name: string): readonly NameVersion[] {
  return nameVersions(new ImageStore(engine.root), name);
}

/** Lets a name point to one of its versions again; without one to the one before the current. */
export async function promoteImage(
  engine: Engine,
  name: string,
  version?: number,
): Promise<NameVersion> {
  const store = new ImageStore(engine.root);
  const current = await promoteName(store, name, version);
  const { id } = resolveImage(store, current.name);
  recordImageEvent(engine, { id, name: current.name }, "promote");
  return current;
}

export async function pullImage(
  engine: Engine,
  name: string,
  options: PullOptions = {},
): Promise<StoredImage> {
  const image = await pullIntoStore(new ImageStore(engine.root), name, options);
  recordImageEvent(engine, { id: image.id, name: image.names[0] }, "pull");
  return image;
}

/** Throws NOT_FOUND for an image that is not there, and what the registry says. */
export async function pushImage(
  engine: Engine,
  ref: string,
  destination: string,
  options: PushOptions = {},
): Promise<PushedImage> {
  const store = new ImageStore(engine.root);
  const image = resolveImage(store, ref);
  const pushed = await pushFromStore(store, image, destination, options);
  recordImageEvent(engine, { id: image.id, name: destination }, "push");
  return pushed;
}

/** Throws NOT_FOUND, IMAGE_INVALID, NO_SPACE; what was loaded before stays. */
export async function loadImages(
  engine: Engine,
  source: string,
  options: LoadOptions = {},
): Promise<readonly StoredImage[]> {
  const images = await loadIntoStore(new ImageStore(engine.root), source, options);
  for (const { id, names } of images) recordImageEvent(engine, { id, name: names[0] }, "load");
  return images;
}

/** To a stream as an archive, or to a directory as an OCI layout. Names that were asked for are kept. */
export async function saveImages(
  engine: Engine,
  refs: readonly string[],
  to: { readonly format: SaveFormat; readonly output: Writable } | { readonly directory: string },
): Promise<void> {
  const store = new ImageStore(engine.root);
  const asked = refs.map((ref) => ({ ref, image: resolveImage(store, ref) }));
  const images = [...Map.groupBy(asked, ({ image }) => image.id).values()].flatMap((same) => {
    const image = same[0]?.image;
    const named = same.flatMap(({ ref }) => findName(store, ref) ?? []);
    return image ? [{ image, names: [...new Set(named)] }] : [];
  });
  if ("directory" in to) await saveDirectory(store, images, to.directory);
  else await saveFromStore(store, images, to);
  for (const { image, names } of images) {
    recordImageEvent(engine, { id: image.id, name: names[0] }, "save");
  }
}

export type PullPolicy = "always" | "missing" | "never" | "newer";

/**
 * The request with an image that is there: pulled as the policy says, and with its whole name where a
 * short one stood for it. Throws NOT_FOUND and what pullImage throws.
 */
export async function prepareImage(
  engine: Engine,
  request: ContainerRequest,
  { policy, ...options }: PullOptions & { readonly policy: PullPolicy },
): Promise<ContainerRequest> {
  if (request.image === undefined || request.rootfs !== undefined) return request;
  const isLazy = policy === "missing" || policy === "never";
  if (isLazy && findImage(engine, request.image)) return request;
  const name = await completeImageName(engine, request.image);
  const there = findImage(engine, name);
  if (isLazy && (there || policy === "never")) return { ...request, image: name };
  try {
    await pullImage(engine, there ? name : request.image, options);
    return { ...request, image: await completeImageName(engine, request.image) };
  } catch (error) {
    // What is here is as new as can be had.
    const unreachable = error instanceof TsrunError && PASSABLE.has(error.code);
    if (policy === "newer" && there && unreachable) return { ...request, image: name };
    throw error;
  }
}

const PASSABLE: ReadonlySet<string> = new Set([
  "NOT_FOUND",
  "REGISTRY_DENIED",
  "REGISTRY_UNAVAILABLE",
]);

function findImage(engine: Engine, name: string): StoredImage | undefined {
  try {
    return inspectImage(engine, name);
  } catch (error) {
    if (error instanceof TsrunError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

export function readImageUsage(engine: Engine): StoreUsage {
  return readStoreUsage(new ImageStore(engine.root));
}

export interface PruneOptions {
  /** Also images with a name that no container was made from. */
  readonly all?: boolean;
  /** Also what names pointed to before. */
  readonly versions?: boolean;
  /** Also what builds remember of their steps. */
  readonly buildCache?: boolean;
}

export async function pruneImages(
  engine: Engine,
  options: PruneOptions = {},
): Promise<PrunedImages> {
  const store = new ImageStore(engine.root);
  const pruned = await pruneStore(store, { ...options, used: usedImages(engine) });
  for (const id of pruned.images) recordImageEvent(engine, { id }, "remove");
  return pruned;
}

function usedImages(engine: Engine): ReadonlySet<string> {
  return new Set(listContainerIds(engine).flatMap((id) => readConfig(engine, id)?.image?.id ?? []));
}
