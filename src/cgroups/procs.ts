import { readdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { readIfThere } from "./files.ts";

/**
 * The processes of a cgroup, and of all below it with `recursive`; none if it is gone. A process
 * outside the reader's pid namespace is listed as 0. cgroup-v2.rst, "cgroup.procs".
 */
export function readProcs(
  directory: string,
  { recursive = false }: { readonly recursive?: boolean } = {},
): readonly number[] {
  const text = readIfThere(`${directory}/cgroup.procs`) ?? "";
  const own = text.split("\n").flatMap((line) => (line === "" ? [] : [Number(line)]));
  if (!recursive) return own;
  return [...own, ...readChildren(directory).flatMap((child) => readProcs(child, { recursive }))];
}

/** The cgroups directly below; none if it is gone. */
export function readChildren(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${directory}/${name}`);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}
