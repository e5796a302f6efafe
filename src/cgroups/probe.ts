import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { type Controller, isController } from "./controllers.ts";
import type { CgroupFacts, CgroupHierarchy, CgroupLevel } from "./facts.ts";
import { readCpusets, readIfThere } from "./files.ts";
import { parseCgroup2Mounts, parseOwnCgroup, pathBelowMount } from "./mountinfo.ts";
import { ancestors, parseCgroupPath } from "./path.ts";
import type { RdtFacts } from "./plan-rdt.ts";

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const CGROUP2_SUPER_MAGIC = 0x6367_7270;

/**
 * What planning the cgroup `path` (below the mount point, "/tsrun/ID") needs to know of the host.
 * Throws CGROUP_UNAVAILABLE where cgroup v2 is not mounted, INVALID_SPEC for a path that is none.
 */
export function probeCgroups(path: string): CgroupFacts {
  const hierarchy = readHierarchy();
  const { mountPoint } = hierarchy;
  const wanted = parseCgroupPath(path);
  const levels: [CgroupLevel, ...CgroupLevel[]] = [readTop(mountPoint)];
  for (const level of [...ancestors(wanted), wanted]) {
    const found = level === "/" ? undefined : readLevel(mountPoint, level);
    if (!found) break;
    levels.push(found);
  }
  const deepest = `${mountPoint}${levels.at(-1)?.path}`;
  return {
    ...hierarchy,
    path: wanted,
    levels,
    writable: isWritable(deepest),
    ...readCpusets(mountPoint),
    delegate: readDelegate(),
  };
}

let delegate: readonly string[] | undefined;

/** What the kernel's own list has; an old kernel has none, and OCI says what is on it then. */
function readDelegate(): readonly string[] {
  delegate ??= (readIfThere("/sys/kernel/cgroup/delegate") ?? DELEGATE).trim().split("\n");
  return delegate;
}

const DELEGATE = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";

/** Where cgroup v2 is. Throws CGROUP_UNAVAILABLE where it is not mounted. */
export function readHierarchy(): CgroupHierarchy {
  // The table of mounts can be long; the mount that was found before is there as a rule.
  if (!found || !isCgroup2(found.mountPoint)) found = findMount();
  const own = parseOwnCgroup(readFileSync("/proc/self/cgroup", "utf8"));
  return {
    mountPoint: found.mountPoint,
    ownPath: own === undefined ? undefined : pathBelowMount(found.root, own),
  };
}

type Cgroup2Mount = ReturnType<typeof parseCgroup2Mounts>[number];

let found: Cgroup2Mount | undefined;

function findMount(): Cgroup2Mount {
  const mounts = parseCgroup2Mounts(readFileSync("/proc/self/mountinfo", "utf8"));
  // A later mount on a directory above may hide one of these.
  const mount = mounts.find(({ mountPoint }) => isCgroup2(mountPoint));
  if (!mount) {
    throw new TsrunError("CGROUP_UNAVAILABLE", "cgroup v2 is not mounted", {
      hint: "Mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup (or /sys/fs/cgroup/unified beside v1).",
    });
  }
  return mount;
}

/**
 * The cgroup below which containers go unless told otherwise: "/tsrun" at the hierarchy's top, or
 * inside tsrun's own cgroup where only that has been delegated to this user.
 */
export function readDefaultParent(): string {
  const { mountPoint, ownPath } = readHierarchy();
  if (ownPath === undefined || ownPath === "/" || isWritable(mountPoint)) return "/tsrun";
  return isWritable(`${mountPoint}${ownPath}`) ? `${ownPath}/tsrun` : "/tsrun";
}

/** The controllers that can be used at all, and where: for `tsrun info`. */
export function readControllers(): readonly Controller[] {
  const { mountPoint } = readHierarchy();
  return parseControllers(readFileSync(`${mountPoint}/cgroup.controllers`, "utf8"));
}

function readTop(mountPoint: string): CgroupLevel {
  const top = readLevel(mountPoint, "/");
  if (!top) throw new TsrunError("CGROUP_UNAVAILABLE", `"${mountPoint}" is no cgroup any more`);
  return top;
}

function readLevel(mountPoint: string, path: string): CgroupLevel | undefined {
  const directory = path === "/" ? mountPoint : `${mountPoint}${path}`;
  const available = readIfThere(`${directory}/cgroup.controllers`);
  const enabled = readIfThere(`${directory}/cgroup.subtree_control`);
  if (available === undefined || enabled === undefined) return undefined;
  const type = readIfThere(`${directory}/cgroup.type`)?.trim();
  return {
    path,
    available: parseControllers(available),
    enabled: parseControllers(enabled),
    type,
    occupied: type !== undefined && isOccupied(directory),
  };
}

function isOccupied(directory: string): boolean {
  try {
    return readFileSync(`${directory}/cgroup.procs`, "utf8") !== "";
  } catch (error) {
    // A threaded cgroup answers EOPNOTSUPP: its processes are listed at its domain.
    if (hasErrno(error, "EOPNOTSUPP", "ENOTSUP", "ENODEV")) return true;
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function parseControllers(text: string): readonly Controller[] {
  return text.trim().split(/\s+/).filter(isController);
}

function isCgroup2(directory: string): boolean {
  try {
    return statfsSync(directory).type === CGROUP2_SUPER_MAGIC;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "ENOTDIR")) return false; // hidden by another mount
    throw error;
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch (error) {
    if (hasErrno(error, "EACCES", "EROFS", "EPERM", "ENOENT")) return false;
    throw error;
  }
}

/** What planRdt needs to know of the group. proc_pid_mountinfo(5). */
export function readRdtFacts(group: string): RdtFacts {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((mount) => / - resctrl /.test(mount));
  const mountPoint = line?.split(" ")[4];
  const schemata =
    mountPoint === undefined ? undefined : readIfThere(`${mountPoint}/${group}/schemata`);
  return { mountPoint, schemata };
}
