/**
 * Paths of /proc and /sys that containers do not see (masked) or cannot write, as podman has them, and
 * how `--privileged` and `--security-opt mask=…,unmask=…` change the two lists.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";

/** They show the host's memory, keys, hardware or timing, which can be used against other containers. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/dev/block",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];

/** They set the host, whoever mounts them. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/asound",
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

export interface PathRequest {
  /** Paths, each possibly several joined by ":". */
  readonly mask?: readonly string[];
  /** Paths as in `mask`, or "ALL"; a pattern may hold "*" and "?" within a component. */
  readonly unmask?: readonly string[];
  readonly privileged?: boolean;
}

/**
 * Masked and read-only paths. "ALL" in unmask empties both lists, any other entry takes the defaults
 * that it fits out of both; `mask` adds to what is left. A privileged container begins with none.
 * Throws INVALID_ARGUMENT for a path that is not absolute.
 */
export function planPaths({ mask = [], unmask = [], privileged = false }: PathRequest): {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
} {
  const patterns = split(unmask);
  const all = privileged || patterns.some((pattern) => pattern.toUpperCase() === "ALL");
  const matchers = all ? [] : patterns.map((pattern) => matcher(absolute(pattern, "unmask")));
  const keep = (path: string) => !all && !matchers.some((matches) => matches.test(path));
  const added = split(mask).map((path) => absolute(path, "mask"));
  return {
    maskedPaths: [...new Set([...MASKED_PATHS.filter(keep), ...added])],
    readonlyPaths: READONLY_PATHS.filter(keep),
  };
}

function split(values: readonly string[]): readonly string[] {
  return values.flatMap((value) => value.split(":")).filter((path) => path !== "");
}

function absolute(path: string, option: string): string {
  if (path.startsWith("/")) return posix.normalize(path).replace(/(?<=.)\/$/, "");
  throw new TsrunError("INVALID_ARGUMENT", `the path "${path}" of ${option}= is not absolute`, {
    hint: `Write --security-opt ${option}=/proc/example${option === "unmask" ? ", or unmask=ALL" : ""}.`,
  });
}

/** path.Match of Go, which podman documents: "*" and "?" do not cross a "/". */
function matcher(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  return new RegExp(`^${source}$`);
}
