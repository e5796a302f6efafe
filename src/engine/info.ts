/**
 * What tsrun has here to work with: `tsrun info`.
 */
import { readFileSync, type StatsFs, statfsSync } from "node:fs";
import { availableParallelism, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { ImageStore } from "../images/index.ts";
import {
  type Controller,
  machineArch,
  readControllers,
  readDefaultParent,
  readHierarchy,
  readSecurityFacts,
  stagePath,
} from "../runtime/index.ts";
import type { Engine } from "./engine.ts";
import { listContainers } from "./list.ts";
import type { ContainerStatus } from "./records.ts";

export interface EngineInfo {
  readonly version: string;
  readonly host: {
    readonly kernel: string;
    readonly arch: string;
    readonly cpus: number;
    readonly memoryBytes: number;
  };
  readonly store: {
    readonly root: string;
    readonly runRoot: string;
    /** Of the file system that holds (or will hold) the root; undefined where that cannot be read. */
    readonly freeBytes: number | undefined;
    readonly totalBytes: number | undefined;
    readonly images: number;
    readonly containers: Readonly<Record<ContainerStatus, number>>;
  };
  /** undefined where cgroup v2 is not mounted. */
  readonly cgroup:
    | {
        readonly mountPoint: string;
        /** Below which containers are put. */
        readonly parent: string;
        readonly controllers: readonly Controller[];
      }
    | undefined;
  readonly security: {
    readonly seccomp: boolean;
    readonly apparmor: boolean;
    readonly selinux: boolean;
  };
  /** The launcher; undefined where it is not built. */
  readonly stage: string | undefined;
}

export async function engineInfo(engine: Engine): Promise<EngineInfo> {
  const { seccompAvailable, labels } = readSecurityFacts();
  return {
    version: packageVersion(),
    host: {
      kernel: release(),
      arch: machineArch(),
      cpus: availableParallelism(),
      memoryBytes: totalmem(),
    },
    store: await storeInfo(engine),
    cgroup: unlessUnavailable(() => ({
      mountPoint: readHierarchy().mountPoint,
      parent: readDefaultParent(),
      controllers: readControllers(),
    })),
    security: {
      seccomp: seccompAvailable,
      apparmor: labels.apparmor.enabled,
      selinux: labels.selinux.enabled,
    },
    stage: unlessUnavailable(stagePath),
  };
}

async function storeInfo(engine: Engine): Promise<EngineInfo["store"]> {
  const counts = { created: 0, starting: 0, running: 0, paused: 0, exited: 0, removing: 0 };
  for (const { status } of await listContainers(engine, { all: true })) counts[status] += 1;
  const disk = readDisk(engine.root);
  return {
    root: engine.root,
    runRoot: engine.runRoot,
    freeBytes: disk && disk.bavail * disk.bsize,
    totalBytes: disk && disk.blocks * disk.bsize,
    images: new ImageStore(engine.root).images().length,
    containers: counts,
  };
}

/** The root may not be made yet: then of the directory above it that is. */
function readDisk(path: string): StatsFs | undefined {
  try {
    return statfsSync(path);
  } catch (error) {
    if (hasErrno(error, "EACCES")) return undefined;
    if (!hasErrno(error, "ENOENT") || path === "/") throw error;
    return readDisk(dirname(path));
  }
}

function unlessUnavailable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const known = error instanceof TsrunError;
    if (known && (error.code === "CGROUP_UNAVAILABLE" || error.code === "UNSUPPORTED")) {
      return undefined;
    }
    throw error;
  }
}

/** Of the package.json above this module, wherever the bundle that runs lies. */
function packageVersion(): string {
  for (let dir = import.meta.dirname; ; dir = dirname(dir)) {
    try {
      const { name, version } = JSON.parse(readFileSync(`${dir}/package.json`, "utf8")) as {
        name?: unknown;
        version?: unknown;
      };
      if (name === "tsrun" && typeof version === "string") return version;
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
    if (dir === "/") throw new Error("tsrun's package.json is not above its modules");
  }
}
