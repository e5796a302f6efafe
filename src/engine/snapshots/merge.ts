/**
 * The step that keeps stacks of layers short, whatever the depth of snapshots and clones. What else stands
 * on the layers that are merged goes on doing so: only this container's record leads to the new one.
 */
import { faultPoint } from "../../base/fault.ts";
import type { UndoStack } from "../../base/undo.ts";
import { removeTree } from "../../ffi/index.ts";
import { mergeLayers } from "../../overlay/index.ts";
import type { Engine } from "../engine.ts";
import { layerPath, layersOf, ownLayer } from "../layers.ts";
import type { ContainerConfig, ContainerLayers, FrozenLayer } from "../records.ts";
import { inStore } from "../store/store-error.ts";
import { checkDepth, planMerge } from "./plan-merge.ts";

/**
 * These layers, or where they are deep, the same with the uppermost frozen ones as one new directory. The
 * caller holds "layers" and the container's lock, the container does not run, and the record follows.
 */
export function mergeDeep(
  engine: Engine,
  config: ContainerConfig,
  layers: ContainerLayers,
  undo: UndoStack,
): ContainerLayers {
  if (layers === layersOf(config)) return layers; // nothing was frozen
  const image = config.image?.layers ?? [];
  const merge = planMerge(layers.frozen, image.length);
  if (!merge) {
    checkDepth(config, layers.frozen);
    return layers;
  }
  const rest = layers.frozen.slice(merge.layers.length);
  const merged = { ...ownLayer(config, layers.current + 1), level: merge.level };
  const frozen = [merged, ...rest];
  checkDepth(config, frozen);
  const paths = (some: readonly FrozenLayer[]) => some.map((layer) => layerPath(engine, layer));
  const target = layerPath(engine, merged);
  undo.defer(() => removeTree(target));
  inStore("make", target, () =>
    mergeLayers({ layers: paths(merge.layers), below: [...paths(rest), ...image], target }),
  );
  faultPoint();
  return { ...layers, frozen };
}
