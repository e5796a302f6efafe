/**
 * Finding, naming and removing images.
 */
import { TsrunError } from "../base/errors.ts";
import { collectGarbage } from "./garbage.ts";
import {
  type NameVersion,
  nameOf,
  pointName,
  previousVersion,
  promoteVersion,
  removeNames,
  versionsOf,
} from "./index-entries.ts";
import { candidateNames } from "./local-names.ts";
import { formatReference, parseReference } from "./reference.ts";
import type { RegistriesConf } from "./registry/plan-sources.ts";
import type { ImageStore, StoredImage } from "./store.ts";

const ID = /^(?:sha256:)?([0-9a-f]{3,64})$/;

/**
 * An image by name, by id, or by an unambiguous beginning of its id. A short name is looked for as it
 * is, and below the registries that it would be pulled from. Throws NOT_FOUND, AMBIGUOUS_NAME.
 */
export function resolveImage(store: ImageStore, text: string): StoredImage {
  const named = findByName(store, text);
  if (named) return named;
  const prefix = ID.exec(text)?.[1];
  const byId = prefix === undefined ? [] : store.images().filter(({ id }) => id.startsWith(prefix));
  const [first, ...others] = byId;
  if (first && others.length === 0) return first;
  if (first) {
    const problem = `"${text}" is the beginning of ${byId.length} image ids`;
    throw new TsrunError("AMBIGUOUS_NAME", problem, { hint: "Write more of the id, or a name." });
  }
  throw new TsrunError("NOT_FOUND", `there is no image "${text}"`, {
    hint: "`tsrun image ls` lists the images; `tsrun pull` and `tsrun image import` bring one.",
  });
}

function findByName(store: ImageStore, text: string): StoredImage | undefined {
  const name = findName(store, text);
  if (name === undefined) return undefined;
  const entries = store.entries();
  const digest = entries.find((entry) => nameOf(entry) === name)?.digest;
  return store.imagesOf(entries.filter((entry) => entry.digest === digest))[0];
}

/** The name in the store that was meant; undefined where there is none. */
export function findName(
  store: ImageStore,
  text: string,
  conf?: RegistriesConf,
): string | undefined {
  let reference: ReturnType<typeof parseReference>;
  try {
    reference = parseReference(text);
  } catch (error) {
    if (error instanceof TsrunError && ID.test(text)) return undefined;
    throw error;
  }
  const names = new Set(store.entries().flatMap((entry) => nameOf(entry) ?? []));
  return candidateNames(reference, conf).find((name) => names.has(name));
}

/** Gives an image one more name, taking it from any other. */
export async function tagImage(store: ImageStore, text: string, name: string): Promise<void> {
  const reference = formatReference(parseReference(name));
  await store.locked(() => {
    const { manifestDigest } = resolveImage(store, text);
    const entries = store.entries();
    const descriptor = entries.find(({ digest }) => digest === manifestDigest);
    if (!descriptor) throw new Error(`the image ${manifestDigest} is not in the index`);
    const now = new Date().toISOString();
    store.writeEntries(pointName(entries, { name: reference, descriptor, now }));
  });
}

export interface RemoveImageOptions {
  /** Ids of images that containers were made from. */
  readonly used: ReadonlySet<string>;
}

/**
 * Takes the name away, and with it its versions; an image without a name is removed with the layers that
 * no other image has. An id stands for all its names. Throws WRONG_STATE for an image that a container
 * was made from.
 */
export async function removeImage(
  store: ImageStore,
  text: string,
  { used }: RemoveImageOptions,
): Promise<{ readonly untagged: readonly string[]; readonly removed: boolean }> {
  return store.locked(() => {
    const image = resolveImage(store, text);
    const name = findName(store, text);
    const untagged = name !== undefined && image.names.includes(name) ? [name] : image.names;
    const removed = untagged.length === image.names.length;
    if (removed && used.has(image.id)) {
      throw new TsrunError("WRONG_STATE", `the image "${text}" is used by a container`, {
        hint: "Remove the container first: `tsrun ps -a --filter image=…` shows it.",
      });
    }
    removeFromIndex(store, image, { untagged, removed, used });
    collectGarbage(store);
    return { untagged, removed };
  });
}

function removeFromIndex(
  store: ImageStore,
  { manifestDigest }: StoredImage,
  how: {
    readonly untagged: readonly string[];
    readonly removed: boolean;
    readonly used: ReadonlySet<string>;
  },
): void {
  const kept = usedManifests(store, how.used);
  const left = removeNames(store.entries(), new Set(how.untagged), kept);
  // An image that was asked for by its id goes even where it is some name's past version.
  const gone = (digest: string) => how.removed && digest === manifestDigest;
  store.writeEntries(left.filter(({ digest }) => !gone(digest)));
}

/** The manifests of images that containers were made from. */
export function usedManifests(store: ImageStore, used: ReadonlySet<string>): ReadonlySet<string> {
  if (used.size === 0) return new Set();
  const images = store.images().filter(({ id }) => used.has(id));
  return new Set(images.map(({ manifestDigest }) => manifestDigest));
}

/** What a name points to and has pointed to, the newest first. Throws NOT_FOUND. */
export function nameVersions(store: ImageStore, text: string): readonly NameVersion[] {
  return versionsOf(store.entries(), existingName(store, text));
}

function existingName(store: ImageStore, text: string): string {
  const name = findName(store, text);
  if (name !== undefined) return name;
  throw new TsrunError("NOT_FOUND", `there is no image name "${text}"`, {
    hint: "`tsrun image ls` lists them.",
  });
}

/** Lets a name point to a version that it pointed to before; without one to the one before this. */
export async function promoteName(
  store: ImageStore,
  text: string,
  version: number | undefined,
): Promise<NameVersion> {
  return store.locked(() => {
    const name = existingName(store, text);
    const entries = store.entries();
    const now = new Date().toISOString();
    const wanted = version ?? previousVersion(entries, name);
    const promoted = promoteVersion(entries, { name, version: wanted, now });
    store.writeEntries(promoted);
    const current = versionsOf(promoted, name).find((one) => one.current);
    if (!current) throw new Error(`"${name}" points nowhere`);
    return current;
  });
}
