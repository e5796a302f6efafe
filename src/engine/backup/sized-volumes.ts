/**
 * Volumes with a size: file systems of their own, which have to be open for a backup to read, and to be made
 * anew by a restore.
 */
import { rmSync } from "node:fs";
import type { UndoStack } from "../../base/undo.ts";
import {
  type Backing,
  isMounted,
  lockVolume,
  planBacking,
  type VolumeRecord,
  volumePaths,
} from "../../volumes/index.ts";
import { copyLayer } from "../disk/copy-layer.ts";
import { createImage } from "../disk/image.ts";
import { openImage } from "../disk/open-image.ts";
import type { Engine } from "../engine.ts";
import { inStore } from "../store/store-error.ts";

export interface OpenVolumes extends Disposable {
  /** Where each one's files are, by its name. */
  readonly paths: ReadonlyMap<string, string>;
}

/**
 * Open until it is disposed of; nobody mounts or unmounts one meanwhile. Rejects with ABORTED.
 * `volumes` are those of a container, in the order in which they are locked.
 */
export async function openSizedVolumes(
  engine: Engine,
  volumes: readonly VolumeRecord[],
  signal?: AbortSignal,
): Promise<OpenVolumes> {
  const held = new DisposableStack();
  const paths = new Map<string, string>();
  try {
    for (const { name, options } of volumes) {
      if (planBacking(options).kind !== "image") continue;
      const lock = await lockVolume(engine.root, name, "exclusive", signal);
      if (!lock) continue; // removed by hand: it has no files
      held.use(lock);
      const { data, image } = volumePaths(engine.root, name);
      const path = isMounted(data)
        ? data
        : inStore("open", image, () => held.use(openImage(image))).path;
      paths.set(name, path);
    }
  } catch (error) {
    held.dispose();
    throw error;
  }
  return { paths, [Symbol.dispose]: () => held.dispose() };
}

/**
 * Makes the file `image` with a file system of that size, and `tree`, which goes, in it. Throws NO_SPACE,
 * UNSUPPORTED where there is no mkfs.ext4 or no loop device.
 */
export async function createFilledImage(
  image: string,
  { sizeBytes }: Extract<Backing, { readonly kind: "image" }>,
  tree: string | undefined,
  undo: UndoStack,
): Promise<void> {
  await createImage(image, { sizeBytes }, undo);
  if (tree === undefined) return;
  inStore("fill", image, () => {
    using open = openImage(image);
    copyLayer(tree, open.path);
    rmSync(tree, { recursive: true });
  });
}
