/**
 * Snapshots as values: what a container's layers are after each command. Nothing is moved or copied: the
 * current layer becomes a frozen one by being called so, and a new number becomes the current.
 */
import { TsrunError } from "../../base/errors.ts";
import { layersOf, ownLayer } from "../layers.ts";
import type {
  ContainerConfig,
  ContainerId,
  ContainerLayers,
  FrozenLayer,
  SnapshotRecord,
} from "../records.ts";

/** What is known of the container's own writable layers. */
export interface OwnLayers {
  /** Nothing was changed since the last one was frozen. */
  readonly isClean: boolean;
  /** A number that no layer has. */
  readonly next: number;
}

/**
 * The current layer frozen, `next` the current one. Where it is clean, all stays as it is: a hundred
 * clones of one container do not stack a hundred empty layers.
 */
export function planFreeze(config: ContainerConfig, { isClean, next }: OwnLayers): ContainerLayers {
  const layers = layersOf(config);
  if (isClean) return layers;
  return { ...layers, current: next, frozen: [ownLayer(config, layers.current), ...layers.frozen] };
}

/** Throws NAME_IN_USE. */
export function planSnapshot(
  config: ContainerConfig,
  layers: ContainerLayers,
  snapshot: Omit<SnapshotRecord, "frozen"> & { readonly frozen?: readonly FrozenLayer[] },
): ContainerLayers {
  const { name } = snapshot;
  if (layers.snapshots.some((one) => one.name === name)) {
    throw new TsrunError("NAME_IN_USE", `"${config.name}" has a snapshot "${name}" already`, {
      hint: `Choose another name, or remove it with \`tsrun snapshot rm ${config.name} ${name}\`.`,
    });
  }
  const record = { ...snapshot, frozen: snapshot.frozen ?? layers.frozen };
  return { ...layers, snapshots: [...layers.snapshots, record] };
}

/** An empty layer `next` on what the snapshot stands on; what the current one has is given up. */
export function planRestore(
  layers: ContainerLayers,
  { frozen }: SnapshotRecord,
  next: number,
): ContainerLayers {
  return { ...layers, current: next, frozen };
}

export function planSnapshotRemoval(layers: ContainerLayers, name: string): ContainerLayers {
  return { ...layers, snapshots: layers.snapshots.filter((one) => one.name !== name) };
}

/** Throws NOT_FOUND. */
export function findSnapshot(config: ContainerConfig, name: string): SnapshotRecord {
  const found = layersOf(config).snapshots.find((one) => one.name === name);
  if (found) return found;
  throw new TsrunError("NOT_FOUND", `"${config.name}" has no snapshot "${name}"`, {
    hint: `\`tsrun snapshots ${config.name}\` lists them.`,
  });
}

const SNAPSHOT_NAME = /^[a-zA-Z0-9][\w.-]{0,127}$/;

/** Throws INVALID_ARGUMENT. */
export function parseSnapshotName(text: string): string {
  if (SNAPSHOT_NAME.test(text)) return text;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" cannot be the name of a snapshot`, {
    hint: 'Use letters, digits, "_", "." and "-", at most 128, a letter or digit first.',
  });
}

/** The first free one of snap0, snap1 … : LXC's and Incus's names. */
export function nextSnapshotName({ snapshots }: ContainerLayers): string {
  const taken = new Set(snapshots.map(({ name }) => name));
  let number = 0;
  while (taken.has(`snap${number}`)) number += 1;
  return `snap${number}`;
}

/** Every layer that the record leads to, as "CONTAINER/NUMBER". */
export function neededLayers(config: ContainerConfig): readonly string[] {
  const { current, frozen, snapshots } = layersOf(config);
  const own = { container: config.id, number: current };
  return [own, ...frozen, ...snapshots.flatMap((snapshot) => snapshot.frozen)].map(layerKey);
}

export function layerKey({ container, number }: FrozenLayer): string {
  return `${container}/${number}`;
}

/** In whose directories something may not be needed any more, now that the record has these layers. */
export function ownersLeft(before: ContainerConfig, now: ContainerLayers): readonly ContainerId[] {
  const { current, frozen } = layersOf(before);
  const merged = now.current !== current && now.frozen.length <= frozen.length;
  return merged ? ownersOf(before) : [before.id];
}

/** The containers in whose directories the layers are to which the record leads; some may be gone. */
export function ownersOf(config: ContainerConfig): readonly ContainerId[] {
  const { frozen, snapshots } = layersOf(config);
  const layers = [...frozen, ...snapshots.flatMap((snapshot) => snapshot.frozen)];
  return [...new Set([config.id, ...layers.map(({ container }) => container)])];
}
