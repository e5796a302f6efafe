import type { Controller } from "./controllers.ts";

/** The cgroup2 mount that tsrun uses. */
export interface CgroupHierarchy {
  readonly mountPoint: string;
  /** tsrun's own cgroup, below the mount point; undefined where the mount does not show it. */
  readonly ownPath: string | undefined;
}

/** A cgroup that exists. */
export interface CgroupLevel {
  /** Below the mount point; "/" is its top. */
  readonly path: string;
  /** `cgroup.controllers`: what can be limited in this cgroup. */
  readonly available: readonly Controller[];
  /** `cgroup.subtree_control`: what can be limited in its children. */
  readonly enabled: readonly Controller[];
  /** `cgroup.type`, e.g. "domain"; undefined at the real root of the hierarchy, which has none. */
  readonly type: string | undefined;
  /** It holds processes itself, not counting its children. Always false for the real root. */
  readonly occupied: boolean;
}

export interface CgroupFacts extends CgroupHierarchy {
  /** The cgroup that was asked about. */
  readonly path: string;
  /** The levels of `path` that exist, from "/" down. */
  readonly levels: readonly [CgroupLevel, ...CgroupLevel[]];
  /** It was made for this container, and a process of ours is in it so that it lasts. */
  readonly held?: boolean;
  /** Whether a cgroup can be made in the deepest of these. */
  readonly writable: boolean;
  /** CPUs and memory nodes that a container can get, as lists ("0-3,7"); undefined without cpuset. */
  readonly cpus: string | undefined;
  readonly mems: string | undefined;
  /** The files that go with a cgroup that is given away: the lines of /sys/kernel/cgroup/delegate. */
  readonly delegate?: readonly string[];
}
