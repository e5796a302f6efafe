import { TsrunError } from "../base/errors.ts";
import { ImageStore, layerDirectories, resolveImage } from "../images/index.ts";
import { type Change, readDiff } from "../overlay/index.ts";
import { isGone, withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { changedDirectories } from "./layers.ts";

/**
 * What the container has added, changed and deleted in its image, parents before children.
 * Throws UNSUPPORTED for a container with --rootfs: there is nothing to compare with.
 */
export async function diffContainer(engine: Engine, ref: string): Promise<readonly Change[]> {
  return withContainer(engine, ref, async ({ config }) => {
    if (!config.image) {
      throw new TsrunError("UNSUPPORTED", `the container "${config.name}" has no image`, {
        hint: "Its --rootfs is changed in place; there is nothing to compare it with.",
      });
    }
    const changed = changedDirectories(engine, config);
    if (!changed) {
      throw new TsrunError("UNSUPPORTED", `what "${config.name}" changes is in memory alone`, {
        hint: "Its root is ephemeral: look at it from inside, with `tsrun exec`.",
      });
    }
    return readDiff(config.image.layers, changed);
  });
}

/** What the image's uppermost layer changes in those below it. Throws NOT_FOUND, AMBIGUOUS_NAME. */
function diffImage(engine: Engine, ref: string): readonly Change[] {
  const store = new ImageStore(engine.root);
  const [uppermost, ...below] = layerDirectories(store, resolveImage(store, ref));
  return uppermost === undefined ? [] : readDiff(below, uppermost);
}

/** A container's changes; where there is no such container, an image's. Throws NOT_FOUND. */
export async function diffContainerOrImage(
  engine: Engine,
  ref: string,
): Promise<readonly Change[]> {
  try {
    return await diffContainer(engine, ref);
  } catch (error) {
    if (!isGone(error)) throw error;
    return diffImageInstead(engine, ref);
  }
}

function diffImageInstead(engine: Engine, ref: string): readonly Change[] {
  try {
    return diffImage(engine, ref);
  } catch (error) {
    if (!isGone(error)) throw error;
    throw new TsrunError("NOT_FOUND", `there is no container or image "${ref}"`, {
      hint: "`tsrun ps --all` and `tsrun image ls` list them.",
    });
  }
}
