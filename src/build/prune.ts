import { type Engine, type PruneOptions, pruneImages } from "../engine/index.ts";
import type { PrunedImages } from "../images/index.ts";
import { pruneCacheMounts } from "./cache-mount.ts";

/** Removes images that nothing needs and, with `buildCache`, all that builds keep for the next one. */
export async function pruneImagesAndCache(
  engine: Engine,
  options: PruneOptions = {},
): Promise<PrunedImages> {
  const mounts = options.buildCache ? pruneCacheMounts(engine) : 0;
  const pruned = await pruneImages(engine, options);
  return { ...pruned, freed: pruned.freed + mounts };
}
