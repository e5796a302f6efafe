/**
 * What containers take on the disk.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { treeSize } from "../images/index.ts";
import { observeContainer } from "./container.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { currentUpper, layerOfName, layerPath, layersOf } from "./layers.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { layerKey } from "./snapshots/plan.ts";
import { listContainerIds, readConfig } from "./store/config.ts";

export interface ContainerUsage {
  readonly id: ContainerId;
  /** The id of the image that it was made from. */
  readonly image: string | undefined;
  readonly running: boolean;
  /** Bytes of disk of its own directory: what it changed since it was frozen, its log, its records. */
  readonly size: number;
}

export interface FrozenUsage {
  readonly snapshots: number;
  /** Bytes of disk of all frozen layers, those of removed containers included. */
  readonly size: number;
  /** Of those that no container stands on: what the removal of all snapshots would free. */
  readonly reclaimable: number;
}

/** Looks at every file of every frozen layer. */
export function readFrozenUsage(engine: Engine): FrozenUsage {
  const ids = listContainerIds(engine);
  const configs = ids.flatMap((id) => readConfig(engine, id) ?? []);
  const layers = configs.map(layersOf);
  const stoodOn = new Set(layers.flatMap(({ frozen }) => frozen.map(layerKey)));
  const frozen = new Map(
    layers
      .flatMap((one) => [...one.frozen, ...one.snapshots.flatMap((snapshot) => snapshot.frozen)])
      .map((layer) => [layerKey(layer), layer]),
  );
  // Merged layers share their files with those that they were made of: what somebody stands on is counted
  // first, so that the rest is what would be free without it.
  const seen = new Set<string>();
  const sizeOf = (wanted: (key: string) => boolean) =>
    [...frozen]
      .filter(([key]) => wanted(key))
      .reduce((sum, [, layer]) => sum + treeSize(layerPath(engine, layer), seen), 0);
  const needed = sizeOf((key) => stoodOn.has(key));
  const reclaimable = sizeOf((key) => !stoodOn.has(key));
  return {
    snapshots: layers.reduce((count, { snapshots }) => count + snapshots.length, 0),
    size: needed + reclaimable,
    reclaimable,
  };
}

/** Looks at every file that a container has. */
export function readContainerUsage(engine: Engine): readonly ContainerUsage[] {
  return listContainerIds(engine).flatMap((id) => {
    const seen = observeContainer(engine, id, { lockHeld: false });
    if (!seen) return [];
    const running = seen.status === "running" || seen.status === "paused";
    const size = readOwnSize(engine, seen.config);
    return [{ id, image: seen.config.image?.id, running, size }];
  });
}

/** Bytes of disk of the container's own directory, as in ContainerUsage. Looks at every file in it. */
export function readOwnSize(engine: Engine, config: ContainerConfig): number {
  const { dir } = containerPaths(engine, config.id);
  const current = currentUpper(engine, config)?.dir;
  const isOwn = (name: string) => {
    if (name === "disk") return false; // what is in it, the image has
    const layer = layerOfName(config.id, name);
    return layer === undefined || layer === "rest" || join(dir, name) === current;
  };
  const seen = new Set<string>();
  return namesIn(dir)
    .filter(isOwn)
    .reduce((sum, name) => sum + treeSize(join(dir, name), seen), 0);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return []; // somebody has just removed it
    throw error;
  }
}
