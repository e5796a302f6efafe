/**
 * Finding, naming and removing images.
 */
import { TsrunError } from "../base/errors.ts";
import { removeTree } from "../ffi/index.ts";
import { formatReference, parseReference } from "./reference.ts";
import { type ImageStore, removeBlobs, type StoredImage } from "./store.ts";

const ID = /^(?:sha256:)?([0-9a-f]{3,64})$/;

/** An image by name, by id, or by an unambiguous beginning of its id. Throws NOT_FOUND, AMBIGUOUS_NAME. */
export function resolveImage(store: ImageStore, text: string): StoredImage {
  const images = store.images();
  const named = findByName(images, text);
  if (named) return named;
  const prefix = ID.exec(text)?.[1];
  const byId = prefix === undefined ? [] : images.filter(({ id }) => id.startsWith(prefix));
  const [first, ...others] = byId;
  if (first && others.length === 0) return first;
  if (first) {
    throw new TsrunError(
      "AMBIGUOUS_NAME",
      `"${text}" is the beginning of ${byId.length} image ids`,
      {
        hint: "Write more of the id, or a name.",
      },
    );
  }
  throw new TsrunError("NOT_FOUND", `there is no image "${text}"`, {
    hint: "`tsrun image ls` lists the images; `tsrun image import` makes one.",
  });
}

function findByName(images: readonly StoredImage[], text: string): StoredImage | undefined {
  let name: string;
  try {
    name = formatReference(parseReference(text));
  } catch (error) {
    if (error instanceof TsrunError && ID.test(text)) return undefined;
    throw error;
  }
  return images.find(({ names }) => names.includes(name));
}

/** The image's layer directories, uppermost first: what an overlay is made of. */
export function layerDirectories(store: ImageStore, { config }: StoredImage): readonly string[] {
  return config.rootfs.diff_ids.map((diffId) => store.layerDirectory(diffId)).reverse();
}

/** Gives an image one more name, taking it from any other. */
export async function tagImage(store: ImageStore, text: string, name: string): Promise<void> {
  const reference = formatReference(parseReference(name));
  await store.locked(() => {
    store.setName(reference, store.descriptor(resolveImage(store, text)));
  });
}

export interface RemoveImageOptions {
  /** Ids of images that containers were made from. */
  readonly used: ReadonlySet<string>;
}

/**
 * Takes the name away; an image without a name is removed with the layers that no other image has.
 * An id stands for all its names. Throws WRONG_STATE for an image that a container was made from.
 */
export async function removeImage(
  store: ImageStore,
  text: string,
  { used }: RemoveImageOptions,
): Promise<{ readonly untagged: readonly string[]; readonly removed: boolean }> {
  return store.locked(() => {
    const image = resolveImage(store, text);
    const untagged = namesToRemove(image, text);
    const removed = untagged.length === image.names.length;
    if (removed && used.has(image.id)) {
      throw new TsrunError("WRONG_STATE", `the image "${text}" is used by a container`, {
        hint: "Remove the container first: `tsrun ps -a --filter image=…` shows it.",
      });
    }
    store.removeNames(new Set(untagged));
    if (removed) collectGarbage(store);
    return { untagged, removed };
  });
}

function namesToRemove({ names, id }: StoredImage, text: string): readonly string[] {
  const isId = ID.exec(text)?.[1] !== undefined && id.startsWith(ID.exec(text)?.[1] ?? "-");
  if (isId) return names;
  return [formatReference(parseReference(text))];
}

/** Removes layers and blobs that no image uses. The caller holds the store's lock. */
export function collectGarbage(store: ImageStore): readonly string[] {
  const { layers, blobs } = store.unused();
  for (const layer of layers) removeTree(layer);
  removeBlobs(blobs);
  return [...layers, ...blobs];
}
