import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";

/**
 * A cgroup's file, or undefined where it is not there: its controller is not enabled, the kernel is
 * older than the file, or the cgroup is gone (ENODEV: removed while the file was open).
 */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP")) return undefined;
    throw error;
  }
}

/** The names of a cgroup's files and of the cgroups in it; none if it is gone. */
export function readFileNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

/** The CPUs and memory nodes that a cgroup's children can get, as lists; undefined without cpuset. */
export function readCpusets(directory: string): {
  readonly cpus: string | undefined;
  readonly mems: string | undefined;
} {
  const read = (file: string) => readIfThere(`${directory}/${file}`)?.trim() || undefined;
  return { cpus: read("cpuset.cpus.effective"), mems: read("cpuset.mems.effective") };
}
