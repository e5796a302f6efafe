/**
 * Finding, and with `repair` removing, what killed commands left: nothing here may touch what a
 * running command is at work on, so everything is looked at under the lock of the container it names.
 */
import { existsSync, readdirSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { removeTree } from "../ffi/index.ts";
import { checkImageStore, ImageStore, removeAbandoned } from "../images/index.ts";
import { readProcs } from "../runtime/index.ts";
import { abandonedVolumes, removeAbandonedVolume } from "../volumes/index.ts";
import { abandonedStagings } from "./backup/staging.ts";
import { abandonedBuilds, removeAbandonedBuild } from "./builds.ts";
import { observeContainer } from "./container.ts";
import { isContainerId, shortId } from "./container-id.ts";
import { diskPaths, isDiskMounted, unmountDisk } from "./disk/mount.ts";
import { containerPaths, type Engine, namesDirectory, runContainersDirectory } from "./engine.ts";
import { containerCgroup } from "./host.ts";
import { repairRemnant } from "./reconcile.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { removeRunCgroup } from "./release.ts";
import { deleteContainer, deleteContainerDirectory } from "./remove.ts";
import { findRubbish, readNeededLayers, sweepLayers } from "./snapshots/sweep.ts";
import { listContainerIds, readConfig } from "./store/config.ts";
import { type Lock, tryLockContainer } from "./store/lock.ts";
import { isStaleLink, listNames, readNameLink, releaseName } from "./store/names.ts";
import { hasRunDirectory, readBootId, readState, removeRunDirectory } from "./store/state.ts";
import { storeError } from "./store/store-error.ts";
import { findUnusedMounts, releaseVolumeNamed } from "./volumes/use.ts";

export type FindingKind =
  | "run"
  | "ended"
  | "half-made"
  | "layer"
  | "disk"
  | "name"
  | "cgroup"
  | "image"
  | "volume"
  | "damaged";

export interface Finding {
  readonly kind: FindingKind;
  /** A sentence without its full stop. */
  readonly message: string;
  readonly path: string;
  /** Whether it has been put right: only with `repair`, and never for a damaged record. */
  readonly repaired: boolean;
}

export interface CheckOptions {
  readonly repair?: boolean;
  /** Reads every blob and every layer of the images, too. */
  readonly images?: boolean;
}

export async function checkSystem(
  engine: Engine,
  { repair = false, images = false }: CheckOptions = {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const found = (finding: Omit<Finding, "repaired">, repaired = repair) =>
    findings.push({ ...finding, repaired });
  const check: Check = { engine, repair, found };
  await checkContainers(check);
  await checkLayers(check);
  await checkRuns(check);
  checkNames(check);
  await checkCgroups(check);
  await checkImages(check);
  await checkBuilds(check);
  await checkVolumes(check);
  checkRestores(check);
  if (images) {
    const store = new ImageStore(engine.root);
    for (const { repaired, ...finding } of await checkImageStore(store, { repair })) {
      found({ kind: "image", ...finding }, repaired);
    }
  }
  return findings;
}

interface Check {
  readonly engine: Engine;
  readonly repair: boolean;
  readonly found: (finding: Omit<Finding, "repaired">, repaired?: boolean) => void;
}

/** Half-made containers, runs that nobody ended properly, ended ones that were to be removed. */
async function checkContainers(check: Check): Promise<void> {
  const { engine, found } = check;
  for (const id of listContainerIds(engine)) {
    using held = lockIfFree(engine, id);
    if (!held) continue; // a command is at work on it
    try {
      await checkContainer(check, id);
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error;
      const path = containerPaths(engine, id).dir;
      found({ kind: "damaged", path, message: error.message }, false);
    }
  }
}

function lockIfFree(engine: Engine, id: ContainerId): Lock | undefined {
  const lock = tryLockContainer(engine, id);
  return lock === "held" || lock === "gone" ? undefined : lock;
}

async function checkContainer({ engine, repair, found }: Check, id: ContainerId): Promise<void> {
  const { dir, runDir } = containerPaths(engine, id);
  checkDisk({ engine, repair, found }, dir);
  const seen = observeContainer(engine, id, { lockHeld: false });
  if (!seen) return; // the layers' check sees to it
  const { config, remnant, status } = seen;
  // An ended run's records are kept on purpose: they say when it began.
  if (remnant !== "none" && remnant !== "ended") {
    found({ kind: "run", path: runDir, message: REMNANTS[remnant](config.name) });
  }
  if (repair && remnant !== "none") await repairRemnant(engine, seen);
  const over = status === "exited" || remnant === "stale";
  if (!config.request.remove || !over) return;
  found({ kind: "ended", path: dir, message: `"${config.name}" has ended and was to be removed` });
  if (repair) await deleteContainer(engine, config);
}

/** Only a command that has the container's lock has its disk mounted. */
function checkDisk({ repair, found }: Check, directory: string): void {
  const paths = diskPaths(directory);
  if (!isDiskMounted(paths)) return;
  const message = "a command that was killed left a disk mounted";
  found({ kind: "disk", path: paths.mountPoint, message });
  if (repair) unmountDisk(paths);
}

const REMNANTS = {
  stale: (name: string) => `the last run of "${name}" ended with the machine`,
  interrupted: (name: string) => `the start of "${name}" was interrupted`,
  lost: (name: string) => `the supervisor of "${name}" was killed`,
  held: (name: string) => `the command that held "${name}" still was killed`,
} as const;

/** Halves of containers, and layers that no container and no snapshot needs. */
async function checkLayers(check: Check): Promise<void> {
  const needed = readNeededIfSound(check.engine);
  if (!needed) return;
  for (const id of listContainerIds(check.engine)) {
    const some = checkDirectory(check, id, needed);
    if (some && check.repair) await sweepLayers(check.engine, [id]);
  }
}

/** Whether a part of the directory is not needed; one that is not at all is removed here. */
function checkDirectory(
  { engine, repair, found }: Check,
  id: ContainerId,
  needed: ReadonlySet<string>,
): boolean {
  using held = lockIfFree(engine, id); // not while somebody makes or removes it
  const rubbish = held && findRubbish(engine, id, needed);
  if (!rubbish) return false;
  if (rubbish.whole) {
    const path = containerPaths(engine, id).dir;
    found({ kind: "half-made", path, message: "half of a container is there" });
    if (repair) deleteContainerDirectory(engine, id);
    return false;
  }
  for (const path of rubbish.paths) {
    found({ kind: "layer", path, message: "a part of a container is there that nothing needs" });
  }
  return true;
}

/** A damaged record has been told of already; what it needs is not known, so nothing may go. */
function readNeededIfSound(engine: Engine): ReadonlySet<string> | undefined {
  try {
    return readNeededLayers(engine);
  } catch (error) {
    if (error instanceof TsrunError) return undefined;
    throw error;
  }
}

/** Run directories of containers that are gone. */
async function checkRuns({ engine, repair, found }: Check): Promise<void> {
  for (const id of idsIn(runContainersDirectory(engine))) {
    if (existsSync(containerPaths(engine, id).dir)) continue;
    const path = containerPaths(engine, id).runDir;
    found({ kind: "run", path, message: `a container that is gone left its run (${shortId(id)})` });
    if (!repair) continue;
    const state = readState(engine, id);
    if (state?.cgroup !== undefined && state.bootId === readBootId()) {
      await removeRunCgroup(state.cgroup);
    }
    removeRunDirectory(engine, id);
  }
}

function checkNames({ engine, repair, found }: Check): void {
  for (const name of listNames(engine)) {
    const holder = readNameLink(engine, name);
    if (holder !== undefined && !isStaleLink(engine, name, holder)) continue;
    const path = `${namesDirectory(engine)}/${name}`;
    found({ kind: "name", path, message: `the name "${name}" leads to no container` });
    if (repair) releaseName(engine, name);
  }
}

/** Cgroups of our containers that have no run. */
async function checkCgroups({ engine, repair, found }: Check): Promise<void> {
  for (const id of listContainerIds(engine)) {
    using held = lockIfFree(engine, id);
    const config = held && readConfigIfSound(engine, id);
    if (!config || hasRunDirectory(engine, id)) continue;
    const path = containerCgroup(config);
    if (!existsSync(path)) continue;
    const processes = readProcs(path, { recursive: true }).length;
    found({ kind: "cgroup", path, message: `a cgroup with ${processes} processes has no run` });
    if (repair) await removeRunCgroup(path);
  }
}

/** A damaged record has been told of already. */
function readConfigIfSound(engine: Engine, id: ContainerId): ContainerConfig | undefined {
  try {
    return readConfig(engine, id);
  } catch (error) {
    if (error instanceof TsrunError) return undefined;
    throw error;
  }
}

/** Only a repair looks: an import that is under way holds a lock, which a look would have to take too. */
async function checkImages({ engine, repair, found }: Check): Promise<void> {
  if (!repair) return;
  for (const path of await removeAbandoned(new ImageStore(engine.root))) {
    found({ kind: "image", path, message: "an image's import was interrupted" });
  }
}

/** Secrets and containers of builders that were killed. */
async function checkBuilds({ engine, repair, found }: Check): Promise<void> {
  for (const { name, path } of abandonedBuilds(engine)) {
    found({ kind: "run", path, message: "a build was killed" });
    if (repair) await removeAbandonedBuild(engine, name);
  }
}

/** What killed restores have unpacked. */
function checkRestores({ engine, repair, found }: Check): void {
  for (const path of abandonedStagings(engine)) {
    found({ kind: "half-made", path, message: "the restore of a backup was interrupted" });
    if (repair) removeTree(path);
  }
}

/** Half-made and half-removed ones, and mounts that nobody runs with. */
async function checkVolumes({ engine, repair, found }: Check): Promise<void> {
  for (const path of abandonedVolumes(engine.root)) {
    found({ kind: "volume", path, message: "half of a volume is there" });
    if (repair) removeAbandonedVolume(path);
  }
  const damaged = (error: TsrunError, path: string) =>
    found({ kind: "damaged", path, message: error.message }, false);
  for (const { name, path } of findUnusedMounts(engine, damaged)) {
    found({ kind: "volume", path, message: `the volume "${name}" is mounted, and nobody uses it` });
    if (repair) await releaseVolumeNamed(engine, name);
  }
}

function idsIn(directory: string): ContainerId[] {
  try {
    return readdirSync(directory).filter(isContainerId);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw storeError("read", directory, error);
  }
}
