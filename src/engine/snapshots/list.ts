import { treeSize } from "../../images/index.ts";
import { viewContainer } from "../container.ts";
import type { Engine } from "../engine.ts";
import { layerPath, layersOf } from "../layers.ts";
import type { SnapshotRecord } from "../records.ts";
import { resolveContainer } from "../resolve.ts";
import { layerKey } from "./plan.ts";

export interface SnapshotView extends SnapshotRecord {
  /** Bytes on the disk of what was changed between the snapshot before and this one. */
  readonly size: number;
}

/** Oldest first. Looks at every file that they keep. */
export async function listSnapshots(engine: Engine, ref: string): Promise<readonly SnapshotView[]> {
  const { config } = await viewContainer(engine, resolveContainer(engine, ref));
  const seen = new Set<string>();
  const files = new Set<string>(); // a merged layer shares them with those that it was made of
  return layersOf(config).snapshots.map((snapshot) => {
    const own = snapshot.frozen.filter((layer) => !seen.has(layerKey(layer)));
    for (const layer of own) seen.add(layerKey(layer));
    const sizes = own.map((layer) => treeSize(layerPath(engine, layer), files));
    return { ...snapshot, size: sizes.reduce((sum, size) => sum + size, 0) };
  });
}
