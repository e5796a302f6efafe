/**
 * A container as it is after many freezes, without the time that they take.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { type Engine, inspectContainer } from "../../src/engine/index.ts";
import { layersOf, ownLayer, upperPaths, withLayers } from "../../src/engine/layers.ts";
import { writeConfig } from "../../src/engine/store/config.ts";

/** The file that the layer of this number has. */
export const fileOf = (number: number): string => `file-${number}`;

/**
 * Gives a new container so many frozen layers, and writes into the current one. `snapshot`: of this name,
 * which keeps them.
 */
export async function stackFrozenLayers(
  engine: Engine,
  ref: string,
  count: number,
  { snapshot }: { readonly snapshot?: string } = {},
): Promise<void> {
  const { config } = await inspectContainer(engine, ref);
  for (let number = 0; number <= count; number += 1) {
    const { dir, work } = upperPaths(engine, ownLayer(config, number));
    for (const path of number < count ? [dir] : [dir, work]) mkdirSync(path, { recursive: true });
    writeFileSync(`${dir}/${fileOf(number)}`, `${number}`);
  }
  const frozen = Array.from({ length: count }, (_, at) => ownLayer(config, count - 1 - at));
  const snapshots =
    snapshot === undefined
      ? []
      : [{ name: snapshot, createdAt: "2026-01-01T00:00:00Z", running: false, frozen }];
  writeConfig(
    engine,
    withLayers(config, { ...layersOf(config), current: count, frozen, snapshots }),
  );
}
