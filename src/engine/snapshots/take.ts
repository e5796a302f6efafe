import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { withContainer } from "../container.ts";
import type { Engine } from "../engine.ts";
import { recordEvent } from "../events/record.ts";
import { layerPath, layersOf, ownLayer, withLayers } from "../layers.ts";
import { checkLifecycle } from "../lifecycle.ts";
import type {
  ContainerConfig,
  ContainerLayers,
  ContainerView,
  SnapshotRecord,
} from "../records.ts";
import { writeConfig } from "../store/config.ts";
import { lockShared } from "../store/lock.ts";
import { checkFreezable, copyCurrentLayer, createLayer, readOwnLayers } from "./freeze.ts";
import { mergeDeep } from "./merge.ts";
import {
  nextSnapshotName,
  ownersLeft,
  parseSnapshotName,
  planFreeze,
  planSnapshot,
} from "./plan.ts";
import { checkDepth } from "./plan-merge.ts";
import { sweepLayers } from "./sweep.ts";

/**
 * Keeps the container's root as it is now under a name: snap0, snap1 … without one. At once for a
 * container that does not run; one that runs stands still while what it has changed is copied. Throws
 * NAME_IN_USE, UNSUPPORTED for a root that is not kept, NO_SPACE; then nothing is left of it.
 */
export async function snapshotContainer(
  engine: Engine,
  ref: string,
  wanted?: string,
): Promise<SnapshotRecord> {
  const name = wanted === undefined ? undefined : parseSnapshotName(wanted);
  return withContainer(engine, ref, async (container) => {
    const { config, status } = container;
    checkLifecycle("snapshot", status, config);
    checkFreezable(config);
    const snapshot = {
      name: name ?? nextSnapshotName(layersOf(config)),
      createdAt: new Date().toISOString(),
      running: status === "running" || status === "paused",
    };
    planSnapshot(config, layersOf(config), snapshot); // before the work, whether the name is free
    const layers = snapshot.running
      ? await takeRunning(engine, container, snapshot)
      : await takeAtRest(engine, config, snapshot);
    recordEvent(engine, config, "snapshot");
    return layers.snapshots.at(-1) as SnapshotRecord;
  });
}

type NewSnapshot = Omit<SnapshotRecord, "frozen">;

async function takeAtRest(
  engine: Engine,
  config: ContainerConfig,
  snapshot: NewSnapshot,
): Promise<ContainerLayers> {
  const layers = await freezeAtRest(engine, config, (frozen) =>
    planSnapshot(config, frozen, snapshot),
  );
  // The frozen layer's work directory, and what is merged now.
  await sweepLayers(engine, ownersLeft(config, layers), { held: config.id });
  return layers;
}

/**
 * Freezes the current layer, where there is anything in it, and records what `plan` makes of that; of a
 * deep stack some layers are one then. The record is the one step that counts.
 */
export async function freezeAtRest(
  engine: Engine,
  config: ContainerConfig,
  plan: (frozen: ContainerLayers) => ContainerLayers,
): Promise<ContainerLayers> {
  using _one = await lockShared(engine, "layers");
  using undo = new UndoStack();
  const own = readOwnLayers(engine, config);
  const layers = plan(mergeDeep(engine, config, planFreeze(config, own), undo));
  const { current } = layersOf(config);
  if (layers.current !== current) {
    const below = layerPath(engine, ownLayer(config, current));
    createLayer(engine, ownLayer(config, layers.current), below, undo);
  }
  const record = withLayers(config, layers);
  if (layers !== layersOf(config)) writeConfig(engine, record);
  faultPoint();
  undo.keep();
  return layers;
}

/** The copy becomes a layer that only the snapshot stands on. */
async function takeRunning(
  engine: Engine,
  container: ContainerView,
  snapshot: NewSnapshot,
): Promise<ContainerLayers> {
  const { config } = container;
  using _one = await lockShared(engine, "layers");
  using undo = new UndoStack();
  const own = readOwnLayers(engine, config);
  if (own.isClean) return record(engine, config, planSnapshot(config, layersOf(config), snapshot));
  const copy = ownLayer(config, own.next);
  const { frozen } = planFreeze(config, own);
  checkDepth(config, frozen);
  createLayer(engine, copy, layerPath(engine, frozen[0] ?? copy), undo);
  await copyCurrentLayer(engine, container, copy);
  const stack = [copy, ...frozen.slice(1)];
  const layers = planSnapshot(config, layersOf(config), { ...snapshot, frozen: stack });
  record(engine, config, layers);
  undo.keep();
  return layers;
}

function record(engine: Engine, config: ContainerConfig, layers: ContainerLayers): ContainerLayers {
  faultPoint();
  writeConfig(engine, withLayers(config, layers));
  faultPoint();
  return layers;
}
