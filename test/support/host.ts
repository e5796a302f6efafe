/**
 * What a container may leave behind on the host, as a value to compare: mounts, cgroups, network
 * namespaces, tsrun's processes, and the files of given directories. A file whose tests use this
 * says `// @private` (see scripts/test-files.ts), because other tests' containers would show up in it.
 */
import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface HostSnapshot {
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly networkNamespaces: readonly string[];
  readonly processes: readonly string[];
  readonly files: readonly string[];
  /** What `files` was read from. */
  readonly directories: readonly string[];
}

/** Everything now there; `directories` are walked whole, and may be missing. */
export function snapshotHost({
  directories = [],
}: {
  directories?: readonly string[];
} = {}): HostSnapshot {
  return {
    mounts: readMounts(),
    cgroups: readCgroups(),
    networkNamespaces: readNetworkNamespaces(),
    processes: readTsrunProcesses(),
    files: directories.flatMap((directory) => walk(directory, () => true)).sort(),
    directories,
  };
}

/**
 * Fails, naming what is new and what is gone, unless the host comes to be as `before` was within
 * `timeoutMs`: the kernel removes namespaces and dead processes a moment after their end.
 */
export async function assertHostUnchanged(
  before: HostSnapshot,
  { timeoutMs = 5000 }: { timeoutMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const difference = compare(before, snapshotHost({ directories: before.directories }));
    if (difference.length === 0) return;
    if (performance.now() > deadline) {
      assert.fail(`the host is not as it was:\n${difference.join("\n")}`);
    }
    await sleep(50);
  }
}

/** One line for each thing that is new (+) or gone (-). */
export function compare(before: HostSnapshot, after: HostSnapshot): string[] {
  const kinds = ["mounts", "cgroups", "networkNamespaces", "processes", "files"] as const;
  return kinds.flatMap((kind) => {
    const [was, is] = [new Set(before[kind]), new Set(after[kind])];
    return [
      ...[...is].filter((entry) => !was.has(entry)).map((entry) => `+ ${kind}: ${entry}`),
      ...[...was].filter((entry) => !is.has(entry)).map((entry) => `- ${kind}: ${entry}`),
    ];
  });
}

/** Mount point, type, source and options: not the ids, which say nothing. */
function readMounts(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  const mounts = lines.map((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root, point, options] = left.split(" ");
    return `${point} root=${root} ${options} ${right}`;
  });
  // The same mount twice on one point is two mounts.
  const seen = new Map<string, number>();
  return mounts.map((mount) => {
    const count = (seen.get(mount) ?? 0) + 1;
    seen.set(mount, count);
    return count === 1 ? mount : `${mount} (${count})`;
  });
}

function readCgroups(): string[] {
  const mountPoint = cgroup2MountPoint();
  return mountPoint === undefined ? [] : walk(mountPoint, (entry) => entry.isDirectory).sort();
}

/** Where cgroup v2 is mounted, on pure and on hybrid hosts. */
export function cgroup2MountPoint(): string | undefined {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((candidate) => candidate.includes(" - cgroup2 "));
  return line?.split(" ")[4];
}

/** The inode of each network namespace that a process is in, or that `ip netns` holds. */
function readNetworkNamespaces(): string[] {
  const inodes = new Set<string>();
  for (const pid of pids()) {
    const link = unlessGone(() => readlinkSync(`/proc/${pid}/ns/net`));
    if (link !== undefined) inodes.add(link);
  }
  return [...inodes, ...(unlessGone(() => readdirSync("/run/netns")) ?? [])].sort();
}

/** pid, start time (a pid may be used again) and command line of everything that tsrun started. */
function readTsrunProcesses(): string[] {
  return pids().flatMap((pid) => {
    const stat = unlessGone(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
    if (stat === undefined) return [];
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const executable = unlessGone(() => readlinkSync(`/proc/${pid}/exe`)) ?? "";
    if (!name.startsWith("tsrun") && !executable.includes("tsrun-stage")) return [];
    const commandLine = unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "";
    return [`${pid} ${startTime} ${name} ${commandLine.replaceAll("\0", " ").trimEnd()}`];
  });
}

function pids(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

interface Entry {
  readonly isDirectory: boolean;
}

/** Every path at and below `directory` that `wanted` accepts, mount points and all. */
function walk(directory: string, wanted: (entry: Entry) => boolean): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    const isDirectory = unlessGone(() => lstatSync(path).isDirectory());
    if (isDirectory === undefined) return;
    if (wanted({ isDirectory })) found.push(path);
    if (!isDirectory) return;
    for (const name of unlessGone(() => readdirSync(path)) ?? []) visit(join(path, name));
  };
  visit(directory);
  return found;
}

/** What a look at /proc or /sys gives; undefined for a process or a cgroup that ended meanwhile. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "ENODEV")
      return undefined;
    throw error;
  }
}
