/**
 * What is asked of the host once per process, because it does not change while a program runs.
 */
import { readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { readControllers, readDefaultParent, readHierarchy } from "../runtime/index.ts";
import type { ResourceFacts } from "./bundle/resources.ts";
import type { ContainerConfig } from "./records.ts";

let resources: ResourceFacts | undefined;

/** Throws CGROUP_UNAVAILABLE where cgroup v2 is not mounted. */
export function readResourceFacts(): ResourceFacts {
  resources ??= { controllers: new Set(readControllers()), swap: hasSwap() };
  return resources;
}

/** A header line, then one for each device. proc_swaps(5). */
function hasSwap(): boolean {
  return readTextIfThere("/proc/swaps").trimEnd().split("\n").length > 1;
}

let defaultParent: string | undefined;

/** The cgroup below which containers are made, below the hierarchy's root. */
export function cgroupParent(wanted: string | undefined): string {
  if (wanted !== undefined) return wanted.startsWith("/") ? wanted : `/${wanted}`;
  defaultParent ??= readDefaultParent();
  return defaultParent;
}

let mountPoint: string | undefined;

/** The absolute path of a container's cgroup. Throws CGROUP_UNAVAILABLE where cgroup v2 is not mounted. */
export function containerCgroup({ id, request }: ContainerConfig): string {
  mountPoint ??= readHierarchy().mountPoint;
  return `${mountPoint}${cgroupParent(request.cgroupParent)}/${id}`;
}

/** "" for a file that is not there. */
export function readTextIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return "";
    throw error;
  }
}
