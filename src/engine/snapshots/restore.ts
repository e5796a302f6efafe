import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { withContainer } from "../container.ts";
import type { Engine } from "../engine.ts";
import { recordEvent } from "../events/record.ts";
import { layersOf, ownLayer, withLayers } from "../layers.ts";
import { checkLifecycle } from "../lifecycle.ts";
import type { ContainerConfig, SnapshotRecord } from "../records.ts";
import { attributesLayer } from "../root.ts";
import { writeConfig } from "../store/config.ts";
import { lockShared } from "../store/lock.ts";
import { checkFreezable, createLayer, readOwnLayers } from "./freeze.ts";
import { findSnapshot, ownersOf, planRestore, planSnapshotRemoval } from "./plan.ts";
import { sweepLayers } from "./sweep.ts";

/**
 * Gives the container the root that it had when the snapshot was taken. What was changed since, and is in
 * no snapshot, is deleted. Throws NOT_FOUND, WRONG_STATE for a container that runs.
 */
export async function restoreContainer(engine: Engine, ref: string, name: string): Promise<void> {
  await withContainer(engine, ref, async ({ config, status }) => {
    checkLifecycle("restore", status, config);
    checkFreezable(config);
    const snapshot = findSnapshot(config, name);
    await putBack(engine, config, snapshot);
    await sweepLayers(engine, ownersOf(config), { held: config.id });
    recordEvent(engine, config, "restore");
  });
}

async function putBack(
  engine: Engine,
  config: ContainerConfig,
  snapshot: SnapshotRecord,
): Promise<void> {
  using _one = await lockShared(engine, "layers");
  using undo = new UndoStack();
  const { next } = readOwnLayers(engine, config);
  const restored = withLayers(config, planRestore(layersOf(config), snapshot, next));
  const below = attributesLayer(engine, restored);
  createLayer(engine, ownLayer(config, next), below, undo);
  writeConfig(engine, restored);
  faultPoint();
  undo.keep();
}

/** Forgets the snapshot, and deletes the layers that only it led to. Throws NOT_FOUND. */
export async function removeSnapshot(engine: Engine, ref: string, name: string): Promise<void> {
  await withContainer(engine, ref, async ({ config }) => {
    findSnapshot(config, name);
    {
      using _one = await lockShared(engine, "layers");
      faultPoint();
      writeConfig(engine, withLayers(config, planSnapshotRemoval(layersOf(config), name)));
      faultPoint();
    }
    await sweepLayers(engine, ownersOf(config), { held: config.id });
  });
}
