/**
 * Images as the engine's user names them: the image store, and what containers have to do with it.
 */
import {
  ImageStore,
  type ImportOptions,
  importImage as importIntoStore,
  removeImage as removeFromStore,
  resolveImage,
  type StoredImage,
  tagImage as tagInStore,
} from "../images/index.ts";
import type { Engine } from "./engine.ts";
import { listContainerIds, readConfig } from "./store/config.ts";

/** A directory, a tar archive or "-" for one on stdin becomes an image of one layer with this name. */
export function importImage(
  engine: Engine,
  source: string,
  name: string,
  options: ImportOptions = {},
): Promise<StoredImage> {
  return importIntoStore(new ImageStore(engine.root), source, name, options);
}

export function listImages(engine: Engine): readonly StoredImage[] {
  return new ImageStore(engine.root).images();
}

/** Throws NOT_FOUND, AMBIGUOUS_NAME. */
export function inspectImage(engine: Engine, ref: string): StoredImage {
  return resolveImage(new ImageStore(engine.root), ref);
}

/** Throws WRONG_STATE for an image whose layers a container stands on. */
export function removeImage(engine: Engine, ref: string): ReturnType<typeof removeFromStore> {
  return removeFromStore(new ImageStore(engine.root), ref, { used: usedImages(engine) });
}

export function tagImage(engine: Engine, ref: string, name: string): Promise<void> {
  return tagInStore(new ImageStore(engine.root), ref, name);
}

function usedImages(engine: Engine): ReadonlySet<string> {
  return new Set(listContainerIds(engine).flatMap((id) => readConfig(engine, id)?.image?.id ?? []));
}
