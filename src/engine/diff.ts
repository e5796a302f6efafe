import { TsrunError } from "../base/errors.ts";
import { type Change, readDiff } from "../overlay/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { currentUpper } from "./layers.ts";

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
    const upper = currentUpper(engine, config);
    if (!upper) {
      throw new TsrunError("UNSUPPORTED", `what "${config.name}" changes is in memory alone`, {
        hint: "Its root is ephemeral: look at it from inside, with `tsrun exec`.",
      });
    }
    return readDiff(config.image.layers, upper.dir);
  });
}
