/**
 * When frozen layers become one. As digits carry: 64 layers as containers wrote them become one of the
 * first level, 64 of those one of the second. So a layer's files get a new name once in 64 freezes, once
 * more in 4,096; the stack below a container stays under 64 for each level; and what was frozen first,
 * often the most, is not touched again.
 */
import { TsrunError } from "../../base/errors.ts";
import type { ContainerConfig, FrozenLayer } from "../records.ts";

/** Measured in docs/decisions: a start feels each layer, a merge each file. */
const LAYERS_OF_ONE_LEVEL = 64;

/** overlayfs stacks 500; the current layer and the mount points' need a place as well. */
const MOST_LOWER_LAYERS = 498;

export interface LayerMerge {
  /** Which become one, uppermost first: the first ones of the stack. */
  readonly layers: readonly FrozenLayer[];
  readonly level: number;
}

/** What is to become one of this stack (uppermost first) on so many layers of an image. */
export function planMerge(
  frozen: readonly FrozenLayer[],
  imageLayers: number,
): LayerMerge | undefined {
  const carried = carry(frozen);
  const left = frozen.length - (carried ? carried.layers.length - 1 : 0);
  if (left + imageLayers <= MOST_LOWER_LAYERS || frozen.length < 2) return carried;
  return { layers: frozen, level: 1 + Math.max(...frozen.map(levelOf)) }; // nothing else leaves room
}

function carry(frozen: readonly FrozenLayer[]): LayerMerge | undefined {
  let merge: LayerMerge | undefined;
  for (let level = 0; ; level += 1) {
    const end = frozen.findIndex((layer) => levelOf(layer) > level);
    const run = end === -1 ? frozen : frozen.slice(0, end);
    const here = run.filter((layer) => levelOf(layer) === level).length + (merge ? 1 : 0);
    if (here < LAYERS_OF_ONE_LEVEL) return merge;
    merge = { layers: run, level: level + 1 };
  }
}

function levelOf({ level = 0 }: FrozenLayer): number {
  return level;
}

/** Throws OVERLAY_UNSUPPORTED for more layers than the kernel stacks: of an image that leaves no room. */
export function checkDepth(config: ContainerConfig, frozen: readonly FrozenLayer[]): void {
  const stacked = frozen.length + (config.image?.layers.length ?? 0);
  if (stacked <= MOST_LOWER_LAYERS) return;
  throw new TsrunError(
    "OVERLAY_UNSUPPORTED",
    `"${config.name}" already stands on ${stacked - 1} layers, and the kernel stacks no more`,
    { hint: `Make one layer of them: \`tsrun commit --squash ${config.name} IMAGE\`.` },
  );
}
