/**
 * What a container has changed as a layer that nobody writes to any more. Of one that does not run the
 * writable layer itself is that, at once and whatever its size. A running one's cannot be taken away from
 * below it (docs/decisions): it is copied while the container stands still.
 */
import { closeSync, constants, openSync, readdirSync, statSync } from "node:fs";
import { TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import type { UndoStack } from "../../base/undo.ts";
import { copyTree, listXattrs, removeTree, syncfs } from "../../ffi/index.ts";
import { createUpper } from "../../overlay/index.ts";
import type { Engine } from "../engine.ts";
import { whileHeld } from "../hold.ts";
import {
  currentUpper,
  layerOfName,
  layerPath,
  layersDirectory,
  layersOf,
  rootModeOf,
  upperPaths,
} from "../layers.ts";
import type { ContainerConfig, ContainerView, FrozenLayer } from "../records.ts";
import { attributesLayer } from "../root.ts";
import { inStore } from "../store/store-error.ts";
import type { OwnLayers } from "./plan.ts";

/** Throws UNSUPPORTED for a container that has no layers to freeze. */
export function checkFreezable(config: ContainerConfig): void {
  if (config.image === undefined) {
    throw new TsrunError("UNSUPPORTED", `the container "${config.name}" has no image`, {
      hint: "Its --rootfs is changed in place; nothing is kept of what it was before.",
    });
  }
  const mode = rootModeOf(config);
  if (mode === "private") return;
  throw new TsrunError(
    "UNSUPPORTED",
    `what "${config.name}" changes is not kept: its root is ${mode}`,
    {
      hint: "Each of its starts begins clean from the image; only a private root has snapshots.",
    },
  );
}

/** Looks only. */
export function readOwnLayers(engine: Engine, config: ContainerConfig): OwnLayers {
  const dir = layersDirectory(engine, config);
  const numbers = readdirSync(dir).flatMap((name) => {
    const layer = layerOfName(config.id, name.replace(/\.gone$/, ""));
    return layer === undefined || layer === "rest" ? [] : [layer.number];
  });
  const next = Math.max(layersOf(config).current, ...numbers) + 1;
  return { isClean: isClean(engine, config), next };
}

/** Nothing in it, and "/" is as the layer below has it. */
function isClean(engine: Engine, config: ContainerConfig): boolean {
  const upper = currentUpper(engine, config);
  const below = attributesLayer(engine, config);
  if (!upper || below === undefined || readdirSync(upper.dir).length > 0) return false;
  const [own, other] = [statSync(upper.dir), statSync(below)];
  const same = own.mode === other.mode && own.uid === other.uid && own.gid === other.gid;
  // overlayfs marks an upper of its own; anything else the container has set.
  return same && listXattrs(upper.dir).every((name) => name.startsWith("trusted.overlay."));
}

/** An empty layer with the attributes of the one that it will be on. Whoever holds "layers" records it. */
export function createLayer(
  engine: Engine,
  layer: FrozenLayer,
  below: string | undefined,
  undo: UndoStack,
): void {
  const upper = upperPaths(engine, layer);
  undo.defer(() => {
    for (const path of [upper.dir, upper.work]) removeTree(path);
  });
  inStore("make", upper.dir, () => createUpper(upper, below));
}

const { O_DIRECTORY, O_RDONLY } = constants;

/**
 * A copy of what a container, which may be running, has changed up to one moment, in `target`, an empty layer. Returns
 * when it is on the disk.
 */
export async function copyCurrentLayer(
  engine: Engine,
  container: ContainerView,
  target: FrozenLayer,
): Promise<void> {
  const source = currentUpper(engine, container.config)?.dir;
  if (source === undefined) throw new Error("the container has no writable layer");
  const path = layerPath(engine, target);
  const to = openSync(path, O_RDONLY | O_DIRECTORY);
  try {
    const copy = () => {
      const from = openSync(source, O_RDONLY | O_DIRECTORY);
      try {
        inStore("copy", path, () => copyTree(from, to));
      } finally {
        closeSync(from);
      }
    };
    if (container.status === "running") await whileHeld(engine, container, copy);
    else copy();
    faultPoint();
    syncfs(to);
  } finally {
    closeSync(to);
  }
}
