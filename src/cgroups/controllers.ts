/** The controllers that a limit can need, by their names in `cgroup.controllers`. */
export const CONTROLLERS = [
  "memory",
  "pids",
  "cpu",
  "cpuset",
  "io",
  "hugetlb",
  "rdma",
  "misc",
] as const;
export type Controller = (typeof CONTROLLERS)[number];

/**
 * Enabled for every container where there are, limited or not: `stats` and `update` live on them.
 * The others cost something for each cgroup and count nothing that anybody asks for.
 */
export const DEFAULT_CONTROLLERS: readonly Controller[] = ["memory", "pids", "cpu", "cpuset", "io"];

export function isController(name: string): name is Controller {
  return CONTROLLERS.some((controller) => controller === name);
}
