/**
 * RUN/containers/ID/state.json: the processes and the cgroup of a run. It is on a tmpfs: a reboot
 * ends every run and takes the record with it.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, unlinkSync } from "node:fs";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { hasErrno } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { containerPaths, type Engine, ETC_FILES, rootMountPoint } from "../engine.ts";
import type { ContainerId, ContainerState } from "../records.ts";
import { damagedRecord } from "./config.ts";
import { inStore, storeError } from "./store-error.ts";

/** The run's directory must exist: makeRunDirectory. */
export function writeState(engine: Engine, state: ContainerState): void {
  const path = containerPaths(engine, state.id).state;
  inStore("write", path, () => writeFileAtomic(path, JSON.stringify(state), { mode: 0o600 }));
}

/** undefined if it is not running and left nothing behind. */
export function readState(engine: Engine, id: ContainerId): ContainerState | undefined {
  const path = containerPaths(engine, id).state;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError("read", path, error);
  }
  try {
    return JSON.parse(text) as ContainerState;
  } catch (error) {
    throw damagedRecord(path, error);
  }
}

/**
 * Makes the directory of a run, by which it begins. It can be entered but not listed: what is bound
 * into the container (hosts, resolv.conf) lies in it, and a container's users need to reach it.
 */
export function makeRunDirectory(engine: Engine, id: ContainerId): void {
  const { runDir } = containerPaths(engine, id);
  inStore("make", runDir, () => {
    try {
      mkdirSync(runDir, { mode: 0o711 });
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      makeDirectories(runDir, 0o711);
    }
    // Every container assembles its root on this one, each in its own mount namespace.
    if (!existsSync(rootMountPoint(engine))) makeDirectories(rootMountPoint(engine), 0o711);
  });
}

export function hasRunDirectory(engine: Engine, id: ContainerId): boolean {
  return existsSync(containerPaths(engine, id).runDir);
}

/** Everything that a run can have there; state.json first, for it is what says that the run exists. */
const RUN_FILES = ["state.json", "state.json.tmp", "attach.sock", ...ETC_FILES];

/** Forgets a run. Only after its processes, cgroup and mounts are gone. */
export function removeRunDirectory(engine: Engine, id: ContainerId): void {
  const { runDir } = containerPaths(engine, id);
  inStore("remove", runDir, () => {
    for (const name of RUN_FILES) ifThere(() => unlinkSync(`${runDir}/${name}`));
    ifThere(() => rmdirSync(runDir));
  });
}

function ifThere(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}

/** Which boot this is; a container has no processes of another one. random(4). */
export function readBootId(): string {
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return bootId;
}

let bootId: string | undefined;
