/**
 * Layers that nothing leads to any more. No count is kept of who uses a layer, so none can be wrong after
 * a crash: whoever drops a reference looks at every record, with the lock held under which references
 * are made.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { removeTree } from "../../ffi/index.ts";
import { releaseDisk } from "../disk/hold.ts";
import { containerPaths, type Engine } from "../engine.ts";
import { layerOfName, layersDirectory, layersOf } from "../layers.ts";
import type { ContainerConfig, ContainerId } from "../records.ts";
import { listContainerIds, readConfig } from "../store/config.ts";
import { type Lock, lockShared, tryLockContainer } from "../store/lock.ts";
import { storeError } from "../store/store-error.ts";
import { setAside } from "../upper.ts";
import { layerKey, neededLayers } from "./plan.ts";

/** What lies in a container's directory and nobody needs. */
export interface Rubbish {
  readonly container: ContainerId;
  /** Paths, in no order. */
  readonly paths: readonly string[];
  /** The container is gone, and nothing of its directory is needed. */
  readonly whole: boolean;
}

/**
 * The layers to which some record leads, as "CONTAINER/NUMBER". A container that is cloned and removed
 * while this looks has left its clone, which a second look sees.
 */
export function readNeededLayers(engine: Engine): ReadonlySet<string> {
  const needed = new Set<string>();
  const seen = new Set<ContainerId>();
  for (let more = listContainerIds(engine); more.length > 0; ) {
    for (const id of more) {
      seen.add(id);
      const config = readConfig(engine, id);
      if (config) for (const key of neededLayers(config)) needed.add(key);
    }
    more = listContainerIds(engine).filter((id) => !seen.has(id));
  }
  return needed;
}

/** Looks only. undefined where there is nothing to clear away, or no such directory. */
export function findRubbish(
  engine: Engine,
  container: ContainerId,
  needed: ReadonlySet<string>,
): Rubbish | undefined {
  const config = readConfig(engine, container);
  // A disk is only mounted for a command that has the container's lock; else nothing is seen in it.
  const dir = config ? layersDirectory(engine, config) : containerPaths(engine, container).dir;
  const names = namesIn(dir);
  if (!names) return undefined;
  const keeps = config ? keptByRecord(config) : keptWithoutRecord(container);
  const paths = names.filter((name) => !keeps(name, needed)).map((name) => join(dir, name));
  const whole = config === undefined && paths.length === names.length;
  return whole || paths.length > 0 ? { container, paths, whole } : undefined;
}

type Keeps = (name: string, needed: ReadonlySet<string>) => boolean;

/** All but layers that are not needed, their work directories, and what is half deleted. */
function keptByRecord(config: ContainerConfig): Keeps {
  const { current } = layersOf(config);
  const work = current === 0 ? "work" : `work.${current}`;
  return (name, needed) => {
    const layer = layerOfName(config.id, name);
    if (layer === undefined) return true;
    return layer === "rest" ? name === work : needed.has(layerKey(layer));
  };
}

function keptWithoutRecord(container: ContainerId): Keeps {
  return (name, needed) => {
    const layer = layerOfName(container, name);
    return layer !== undefined && layer !== "rest" && needed.has(layerKey(layer));
  };
}

/**
 * Deletes what nobody needs of these containers' layers; of one that is gone, all but its needed layers.
 * `held`: a container whose lock the caller has.
 */
export async function sweepLayers(
  engine: Engine,
  containers: Iterable<ContainerId>,
  { held }: { readonly held?: ContainerId } = {},
): Promise<void> {
  for (const path of await setRubbishAside(engine, containers, held)) {
    faultPoint();
    removeTree(path);
  }
}

/** Under other names, which takes no time: nobody has to wait until all is deleted. */
async function setRubbishAside(
  engine: Engine,
  containers: Iterable<ContainerId>,
  held: ContainerId | undefined,
): Promise<readonly string[]> {
  using _one = await lockShared(engine, "layers");
  const needed = readNeededOrWarn(engine);
  if (!needed) return [];
  return [...new Set(containers)].flatMap((id) => {
    using lock = id === held ? NO_LOCK : lockIfGone(engine, id);
    const rubbish = lock && findRubbish(engine, id, needed);
    if (!rubbish) return [];
    const { dir } = containerPaths(engine, id);
    if (!readConfig(engine, id)) releaseDisk(dir);
    if (rubbish.whole) return [dir];
    return rubbish.paths.flatMap((path) => setAside(path) ?? []);
  });
}

/** What a damaged record needs is not known: then nothing is deleted until it is repaired. */
function readNeededOrWarn(engine: Engine): ReadonlySet<string> | undefined {
  try {
    return readNeededLayers(engine);
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error;
    engine.warn(`layers that nobody needs may stay for now: ${error.message}`);
    return undefined;
  }
}

const NO_LOCK: Lock = { [Symbol.dispose]: () => {} };

/** One that is just being made has no record yet; its maker holds its lock. */
function lockIfGone(engine: Engine, id: ContainerId): Lock | undefined {
  if (readConfig(engine, id)) return NO_LOCK;
  const lock = tryLockContainer(engine, id);
  return lock === "held" || lock === "gone" ? undefined : lock;
}

function namesIn(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError("read", directory, error);
  }
}
