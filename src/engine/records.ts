/**
 * What the engine keeps of a container, and where.
 *
 *     ROOT/containers/ID/config.json   ContainerConfig: the request and the image it was made from
 *     ROOT/containers/ID/upper, work   the writable layer; after a snapshot upper.1, work.1 and so on
 *     ROOT/containers/ID/disk.img, disk   with --disk: an ext4 that has upper and work, and where it is
 *                                      mounted while a command works on the container; or no disk.img, and
 *                                      disk is a directory with a project quota
 *     ROOT/containers/ID/*.gone        a layer that is being deleted
 *     ROOT/containers/ID/container.log, .1, .2 …   CRI log format
 *     ROOT/containers/ID/exit.json     ExitRecord of the last run, written by the supervisor
 *     ROOT/containers/ID/volumes.json  the volumes that were made for it alone; restored.json: with it
 *     ROOT/containers/ID/last-backup.zst   what the last backup has found
 *     ROOT/restoring/                  where backups are unpacked
 *     ROOT/mount-points/               the lowest layer of every image's root
 *     ROOT/names/NAME → ID             a symlink: a name is taken by making it
 *     RUN/containers/ID/state.json     ContainerState: a running container's processes and cgroup
 *     RUN/containers/ID/attach.sock    the supervisor's attach socket
 *     RUN/containers/ID/hosts, resolv.conf, hostname, containerenv   bound into the root
 *     RUN/rootfs/                      the empty directory on which each root is assembled, privately
 *     RUN/locks/NAME                   flocks for what is not one container's: names, id ranges, the journal
 *     RUN/events.jsonl                 the journal of events
 *
 * A container's lock, by which one command at a time changes it, is an flock on ROOT/containers/ID. It
 * exists as long as config.json does; a run exists as long as RUN/containers/ID does. A container that is
 * gone leaves the frozen layers on which clones of it stand: its directory, without a config.json.
 *
 * ROOT is /var/lib/tsrun (--root), RUN is /run/tsrun for it, and RUN below another name per other ROOT.
 * Every record is written to a temporary file and renamed.
 */
import type { ContainerRequest } from "./request.ts";

/** 64 hexadecimal digits. */
export type ContainerId = string & { readonly __brand: "ContainerId" };

/** The lifecycle: `created` has never run (or lost its run to a reboot), `exited` has an ExitRecord. */
export type ContainerStatus = "created" | "starting" | "running" | "paused" | "exited" | "removing";

export interface ContainerConfig {
  /** 2 if there are `layers`: whoever does not know them would lose what is in them. */
  readonly version: 1 | 2;
  readonly id: ContainerId;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly request: ContainerRequest;
  /** Absent with --rootfs. */
  readonly image?: {
    readonly id: string;
    readonly reference: string;
    /** Layer directories, uppermost first, absolute. */
    readonly layers: readonly string[];
  };
  /** Resolved once at create, so that a restart means the same: the image's configuration merged in. */
  readonly process: {
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    readonly user: string;
    readonly stopSignal: string;
    readonly stopTimeoutSeconds: number;
  };
  readonly layers?: ContainerLayers;
  /** What keeps its disk to its size, where that is no file system of its own. */
  readonly quota?: DiskQuota;
  /** Id maps that --userns auto chose, kept for the container's life. */
  readonly userns?: {
    readonly uids: readonly {
      readonly containerID: number;
      readonly hostID: number;
      readonly size: number;
    }[];
    readonly gids: readonly {
      readonly containerID: number;
      readonly hostID: number;
      readonly size: number;
    }[];
  };
}

/** A project of the file system on which containers/ID/disk is then a plain directory. */
export interface DiskQuota {
  readonly project: number;
}

/** What lies between the image and the current writable layer. Absent in a container that has no such. */
export interface ContainerLayers {
  /** Which writable layer of its own is the current one; the first is 0. */
  readonly current: number;
  /** Uppermost first. Nobody writes to them any more. */
  readonly frozen: readonly FrozenLayer[];
  readonly snapshots: readonly SnapshotRecord[];
  /** What it was made from, with `clone`. */
  readonly clonedFrom?: { readonly id: ContainerId; readonly snapshot?: string };
}

/**
 * A layer that was a container's writable one, or several as one: it stays in the directory of the container
 * for which it was made.
 */
export interface FrozenLayer {
  readonly container: ContainerId;
  readonly number: number;
  /** How often layers were merged to make it; not at all without it. */
  readonly level?: number;
  /** It is on the container's own disk, and nobody else stands on it. */
  readonly disk?: true;
}

export interface SnapshotRecord {
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** The layers between the image and what the container had at that time, uppermost first. */
  readonly frozen: readonly FrozenLayer[];
  /** Taken while it ran. */
  readonly running: boolean;
}

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with it a reused pid is told apart. */
  readonly startTime: string;
}

export interface ContainerState {
  readonly version: 1;
  readonly id: ContainerId;
  /** /proc/sys/kernel/random/boot_id of the boot in which it started. */
  readonly bootId: string;
  readonly status: "running" | "paused";
  readonly init?: ProcessIdentity;
  readonly supervisor?: ProcessIdentity;
  /** Absolute path of the cgroup directory. */
  readonly cgroup?: string;
  readonly startedAt?: string;
  /** The command that has it stand still for a moment; with its end the container goes on. */
  readonly heldBy?: ProcessIdentity;
}

/** A container as commands show it. */
export interface ContainerView {
  readonly config: ContainerConfig;
  readonly status: ContainerStatus;
  readonly state?: ContainerState;
  readonly exit?: ExitRecord;
}

/** Written by the supervisor (native/record.c) when the container's first process has ended. */
export interface ExitRecord {
  readonly pid: number;
  /** 0–255, or null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly oomKilled: boolean;
  readonly oomKills: number;
  readonly finishedAt: string;
  /** Log lines that a full disk or an I/O error took. */
  readonly logLost: number;
}
