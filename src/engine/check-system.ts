/**
 * Finding, and with `repair` removing, what killed commands left: nothing here may touch what a
 * running command is at work on, so everything is looked at under the lock of the container it names.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { ImageStore, removeAbandoned } from "../images/index.ts";
import { readHierarchy, readProcs } from "../runtime/index.ts";
import { observeContainer } from "./container.ts";
import { isContainerId, shortId } from "./container-id.ts";
import {
  containerPaths,
  containersDirectory,
  type Engine,
  locksDirectory,
  namesDirectory,
  removingDirectory,
  runContainersDirectory,
} from "./engine.ts";
import { cgroupParent } from "./host.ts";
import { repairRemnant } from "./reconcile.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { releaseRun, removeRunCgroup } from "./release.ts";
import { deleteContainer, deleteTree } from "./remove.ts";
import { listContainerIds, readConfig } from "./store/config.ts";
import { type Lock, tryLock } from "./store/lock.ts";
import { listNames, readNameLink, releaseName } from "./store/names.ts";
import { readState } from "./store/state.ts";
import { storeError } from "./store/store-error.ts";

export type FindingKind =
  | "run"
  | "ended"
  | "half-made"
  | "half-removed"
  | "name"
  | "cgroup"
  | "lock"
  | "image"
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
}

export async function checkSystem(
  engine: Engine,
  { repair = false }: CheckOptions = {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const found = (finding: Omit<Finding, "repaired">, repaired = repair) =>
    findings.push({ ...finding, repaired });
  const check: Check = { engine, repair, found };
  await checkContainers(check);
  checkRemoved(check);
  await checkRuns(check);
  checkNames(check);
  await checkCgroups(check);
  checkLocks(check);
  await checkImages(check);
  return findings;
}

interface Check {
  readonly engine: Engine;
  readonly repair: boolean;
  readonly found: (finding: Omit<Finding, "repaired">, repaired?: boolean) => void;
}

/** Half-made containers, runs that nobody ended properly, ended ones that were to be removed. */
async function checkContainers({ engine, repair, found }: Check): Promise<void> {
  for (const id of idsIn(containersDirectory(engine))) {
    using held = tryLock(engine, id);
    if (!held) continue; // a command is at work on it
    try {
      await checkContainer({ engine, repair, found }, id, held);
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error;
      const path = containerPaths(engine, id).dir;
      found({ kind: "damaged", path, message: error.message }, false);
    }
  }
}

async function checkContainer(
  { engine, repair, found }: Check,
  id: ContainerId,
  held: Lock,
): Promise<void> {
  const { dir, runDir } = containerPaths(engine, id);
  const seen = observeContainer(engine, id, { lockHeld: false });
  if (!seen) {
    found({ kind: "half-made", path: dir, message: `a container was not made to its end` });
    if (repair) deleteTree(dir);
    if (repair) held.removeFile();
    return;
  }
  const { config, remnant, status } = seen;
  if (remnant !== "none" && !(remnant === "ended" && !config.request.remove)) {
    found({ kind: "run", path: runDir, message: REMNANTS[remnant](config.name) });
  }
  if (repair && remnant !== "none") await repairRemnant(engine, seen);
  const over = status === "exited" || (status === "created" && remnant === "stale");
  if (!config.request.remove || !over) return;
  found({ kind: "ended", path: dir, message: `"${config.name}" has ended and was to be removed` });
  if (repair) deleteContainer(engine, config, held);
}

const REMNANTS = {
  none: () => "",
  stale: (name: string) => `the last run of "${name}" ended with the machine`,
  interrupted: (name: string) => `the start of "${name}" was interrupted`,
  ended: (name: string) => `the last run of "${name}" is not cleared away`,
  lost: (name: string) => `the supervisor of "${name}" was killed`,
} as const;

function checkRemoved({ engine, repair, found }: Check): void {
  for (const id of idsIn(removingDirectory(engine))) {
    using held = tryLock(engine, id);
    if (!held) continue;
    const path = `${removingDirectory(engine)}/${id}`;
    found({ kind: "half-removed", path, message: "a container was not removed to its end" });
    if (repair) deleteTree(path);
    if (repair) held.removeFile();
  }
}

/** Run directories of containers that are gone. */
async function checkRuns({ engine, repair, found }: Check): Promise<void> {
  for (const id of idsIn(runContainersDirectory(engine))) {
    using held = tryLock(engine, id);
    if (!held || readConfig(engine, id)) continue;
    const path = containerPaths(engine, id).runDir;
    found({ kind: "run", path, message: `a container that is gone left its run (${shortId(id)})` });
    if (!repair) continue;
    await releaseRun(engine, id, readState(engine, id));
    held.removeFile();
  }
}

function checkNames({ engine, repair, found }: Check): void {
  for (const name of listNames(engine)) {
    const holder = readNameLink(engine, name);
    if (holder !== undefined) {
      using held = tryLock(engine, holder);
      if (!held) continue;
      const config = readConfig(engine, holder);
      if (!config) held.removeFile();
      if (config?.name === name) continue;
    }
    const path = `${namesDirectory(engine)}/${name}`;
    found({ kind: "name", path, message: `the name "${name}" leads to no container` });
    if (repair) releaseName(engine, name);
  }
}

/** Cgroups of our containers that have no run. */
async function checkCgroups({ engine, repair, found }: Check): Promise<void> {
  const { mountPoint } = readHierarchy();
  for (const id of listContainerIds(engine)) {
    const config = readConfigIfSound(engine, id);
    if (!config || existsSync(containerPaths(engine, id).state)) continue;
    const path = `${mountPoint}${cgroupParent(config.request.cgroupParent)}/${id}`;
    if (!existsSync(path)) continue;
    using held = tryLock(engine, id);
    if (!held || existsSync(containerPaths(engine, id).state)) continue;
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

/** Lock files of containers that are gone; they cost nothing but their names. */
function checkLocks({ engine, repair, found }: Check): void {
  const directory = locksDirectory(engine);
  for (const id of idsIn(directory)) {
    if (existsSync(containerPaths(engine, id).dir)) continue;
    const path = `${directory}/${id}`;
    using held = tryLock(engine, id);
    if (!held || existsSync(containerPaths(engine, id).dir)) continue;
    found({ kind: "lock", path, message: "a lock of a container that is gone" });
    if (repair) held.removeFile();
    else if (!existsSync(path)) rmSync(path, { force: true });
  }
}

/** Only a repair looks: an import that is under way holds a lock, which a look would have to take too. */
async function checkImages({ engine, repair, found }: Check): Promise<void> {
  if (!repair) return;
  for (const path of await removeAbandoned(new ImageStore(engine.root))) {
    found({ kind: "image", path, message: "an image's import was interrupted" });
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
