import { closeSync } from "node:fs";
import { faultPoint } from "../../base/fault.ts";
import { openDetachedRoot } from "../../overlay/index.ts";
import { withContainer } from "../container.ts";
import { parseContainerName } from "../container-id.ts";
import { createLocked } from "../create.ts";
import { copyLayer } from "../disk/copy-layer.ts";
import type { Engine } from "../engine.ts";
import { recordEvent } from "../events/record.ts";
import { currentUpper, layerPath, layersOf, ownLayer, withLayers } from "../layers.ts";
import { checkLifecycle } from "../lifecycle.ts";
import type { ContainerConfig, ContainerView, FrozenLayer } from "../records.ts";
import type { RootMode } from "../request.ts";
import { attributesLayer, planRoot } from "../root.ts";
import { writeConfig } from "../store/config.ts";
import { inStore } from "../store/store-error.ts";
import { checkFreezable, copyCurrentLayer } from "./freeze.ts";
import { clearIdentity } from "./identity.ts";
import { findSnapshot, ownersLeft } from "./plan.ts";
import { cloneProcess, cloneRequest } from "./plan-clone.ts";
import { sweepLayers } from "./sweep.ts";
import { freezeAtRest } from "./take.ts";

export interface CloneOptions {
  /** The name of the new container; a random one without it. */
  readonly name?: string;
  /** What it had at this snapshot, and not what it has now. */
  readonly snapshot?: string;
  /** The machine-id, ssh host keys and seeds of the original are not the clone's. */
  readonly clearIdentity?: boolean;
  /** Whether the clone keeps its own changes; as the original does without it. */
  readonly rootMode?: RootMode;
}

/**
 * A new container with the options of this one and everything that it has changed. No data is copied, but
 * of a container that runs, without `snapshot`: what it has changed, while it stands still. Throws
 * NAME_IN_USE, NOT_FOUND, UNSUPPORTED; then there is no clone.
 */
export async function cloneContainer(
  engine: Engine,
  ref: string,
  options: CloneOptions = {},
): Promise<ContainerConfig> {
  if (options.name !== undefined) parseContainerName(options.name);
  return withContainer(engine, ref, async (container) => {
    const { config, status } = container;
    checkLifecycle("clone", status, config);
    checkFreezable(config);
    const snapshot =
      options.snapshot === undefined ? undefined : findSnapshot(config, options.snapshot);
    const running = status === "running" || status === "paused";
    const copies = running || config.request.disk !== undefined;
    const stand = snapshot
      ? { frozen: snapshot.frozen, copy: false }
      : { frozen: layersOf(config).frozen, copy: copies };
    const clone =
      snapshot || copies
        ? await cloneOnto(engine, container, stand, options)
        : await cloneAtRest(engine, container, options);
    recordEvent(engine, clone, "clone");
    return clone;
  });
}

/** First the original's layer is frozen, then the clone made: without it there is one more layer, no more. */
async function cloneAtRest(
  engine: Engine,
  container: ContainerView,
  options: CloneOptions,
): Promise<ContainerConfig> {
  const { config } = container;
  const layers = await freezeAtRest(engine, config, (frozen) => frozen);
  await sweepLayers(engine, ownersLeft(config, layers), { held: config.id });
  return cloneOnto(engine, container, { frozen: layers.frozen, copy: false }, options);
}

/** The caller holds the original's lock: nobody takes away what the clone will stand on. */
async function cloneOnto(
  engine: Engine,
  container: ContainerView,
  stand: { readonly frozen: readonly FrozenLayer[]; readonly copy: boolean },
  options: CloneOptions,
): Promise<ContainerConfig> {
  const original = container.config;
  const { image, process } = original;
  const standing = withLayers(original, { current: 0, frozen: stand.frozen, snapshots: [] });
  const created = await createLocked(engine, cloneRequest(original, options), {
    root: {
      ...(image ? { image } : {}),
      defaults: { Cmd: process.args },
      labels: {},
      rootLayer: stand.copy
        ? currentUpper(engine, original)?.dir
        : attributesLayer(engine, standing),
    },
    record: async (draft) => {
      const { snapshot } = options;
      const clonedFrom = { id: original.id, ...(snapshot === undefined ? {} : { snapshot }) };
      const frozen = ownFrozen(draft, stand.frozen);
      const layers = { current: 0, frozen, snapshots: [], clonedFrom };
      const clone = withLayers({ ...draft, process: cloneProcess(original, draft) }, layers);
      for (const [at, layer] of stand.frozen.entries()) {
        const to = frozen[at];
        if (layer.disk && to) copyFrozenLayer(engine, layer, to);
      }
      if (stand.copy) await copyCurrentLayer(engine, container, ownLayer(clone, 0));
      if (options.clearIdentity) clearIdentityOf(engine, clone);
      faultPoint();
      writeConfig(engine, clone);
      faultPoint();
      return clone;
    },
  });
  created.held[Symbol.dispose]();
  return created.config;
}

/** What is on the original's disk is copied onto the clone's. */
function ownFrozen(clone: ContainerConfig, frozen: readonly FrozenLayer[]): readonly FrozenLayer[] {
  return frozen.map((layer, at) => (layer.disk ? ownLayer(clone, at + 1) : layer));
}

function copyFrozenLayer(engine: Engine, from: FrozenLayer, to: FrozenLayer): void {
  const path = layerPath(engine, to);
  inStore("copy", path, () => copyLayer(layerPath(engine, from), path));
}

/** In the clone's own layer: the original keeps its. */
function clearIdentityOf(engine: Engine, clone: ContainerConfig): void {
  const root = openDetachedRoot(planRoot(engine, clone));
  try {
    clearIdentity(root);
  } finally {
    closeSync(root);
  }
}
