import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { readTextIfThere } from "./host.ts";

/**
 * The cgroup that the container's first process is in: its own, or one that an init system made below
 * it (a cgroup with divided children takes no processes itself; cgroup-v2.rst, "No Internal Process
 * Constraint").
 */
export function execCgroup(cgroup: string, pid: number): string {
  const [, path] = /^0::(.*)$/m.exec(readTextIfThere(`/proc/${pid}/cgroup`)) ?? [];
  if (path === undefined) return cgroup;
  const id = cgroup.slice(dirname(cgroup).length);
  const at = path.indexOf(`${id}/`);
  if (at < 0) return cgroup;
  const below = `${cgroup}${path.slice(at + id.length)}`;
  return existsSync(below) ? below : cgroup;
}
