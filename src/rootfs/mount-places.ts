/** Places in a container: which lies in which, and which must be what their name says. */
import { posix } from "node:path";
import type { OciMount } from "../spec/index.ts";
import { relative } from "./ops.ts";

/** These are made by the container's own namespaces and must not be where a link of the image leads. */
const STRICT_TYPES = new Set(["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"]);

export function isStrict({ type = "", destination }: OciMount): boolean {
  return STRICT_TYPES.has(type) || relative(destination) === "dev";
}

/** Files of /proc that something like lxcfs may replace; the rest of it must be the kernel's. */
export const REPLACEABLE = new Set([
  "proc/cpuinfo",
  "proc/diskstats",
  "proc/loadavg",
  "proc/meminfo",
  "proc/net/dev",
  "proc/slabinfo",
  "proc/stat",
  "proc/swaps",
  "proc/uptime",
  "proc/sys/kernel/ns_last_pid",
  "proc/sys/crypto/fips_enabled",
  "proc/sys/fs/binfmt_misc",
]);

export function isReplaceable(destination: string): boolean {
  return REPLACEABLE.has(relative(destination));
}

/** Where a path is looked for among the mounts: "/dev" is in the mount on "/dev" or in the root's own. */
export function isBelow(path: string, directory: string): boolean {
  const [inner, outer] = [relative(path), relative(directory)];
  return inner === outer || inner.startsWith(`${outer}/`);
}

/** The name below a directory, e.g. "net/tun" for /dev/net/tun and /dev. */
export function below(path: string, directory: string): string {
  return posix.relative(`/${relative(directory)}`, `/${relative(path)}`);
}
