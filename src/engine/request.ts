/**
 * What a person asks for, typed: the options of `tsrun run`, `tsrun create` and of the library. The
 * command line parses its text into this; nothing behind it parses again. Every field says the flag
 * it stands for, and the bundle (bundle.ts) merges it with the image's configuration into an OCI spec.
 */
import type {
  OciDevice,
  OciDeviceRule,
  OciIdMapping,
  OciRlimit,
  OciThrottle,
} from "../spec/index.ts";

export interface ContainerRequest {
  /** An image reference, or `rootfs`: exactly one of the two. */
  readonly image?: string;
  /** --rootfs: a directory that becomes "/" as it is (podman's meaning), absolute. */
  readonly rootfs?: string;
  /** Arguments after the image; they replace the image's Cmd. */
  readonly command?: readonly string[];
  /** --entrypoint: replaces the image's; an empty array clears it. */
  readonly entrypoint?: readonly string[];
  readonly name?: string;
  /** --rm: the container is removed when it ends. */
  readonly remove?: boolean;

  /** -e, --env-file, in order; a later one wins. */
  readonly env?: Readonly<Record<string, string>>;
  /** -w: absolute; made when missing. */
  readonly workdir?: string;
  /** -u: "name", "uid", "name:group", "uid:gid". */
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  /** Octal value, e.g. 0o022. */
  readonly umask?: number;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly personality?: string;
  /** --cpu-affinity: a cpu list such as "0-2,4" that the container's first process starts with. */
  readonly cpuAffinity?: string;

  /** -i: stdin is kept open. */
  readonly interactive?: boolean;
  /** -t: stdio is a terminal. */
  readonly tty?: boolean;
  /** --init: a reaping PID 1 of tsrun's own in front of the command. */
  readonly init?: boolean;
  readonly stopSignal?: string;
  /** --stop-timeout, seconds; 10 without it. */
  readonly stopTimeoutSeconds?: number;

  readonly mounts?: readonly MountRequest[];
  /** --image-volume: what becomes of the volumes that the image declares; "anonymous" without it. */
  readonly imageVolumes?: "anonymous" | "tmpfs" | "ignore";
  /** --root-mode: what becomes of the changes to "/"; "private" without it. */
  readonly rootMode?: RootMode;
  /** --root-size, bytes: how much an "ephemeral" root can hold; half of the memory without it. */
  readonly rootSizeBytes?: number;
  /** --disk, --disk-alloc: what it writes to its root is on a disk of its own, of this size. */
  readonly disk?: DiskRequest;
  /** --read-only: "/" cannot be written. */
  readonly readOnly?: boolean;
  /** --shm-size, bytes; 64 MiB without it. */
  readonly shmSizeBytes?: number;

  readonly limits?: LimitsRequest;
  readonly rlimits?: readonly OciRlimit[];
  readonly oomScoreAdj?: number;
  readonly cgroupParent?: string;

  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly security?: SecurityRequest;
  readonly devices?: readonly DeviceRequest[];
  readonly deviceRules?: readonly OciDeviceRule[];
  readonly sysctls?: Readonly<Record<string, string>>;

  readonly namespaces?: NamespacesRequest;
  readonly dns?: readonly string[];
  /** --add-host: "name:address". */
  readonly addHosts?: readonly { readonly name: string; readonly address: string }[];

  /** `maxFiles` with the current one; without it the current one alone is kept. */
  readonly log?: { readonly maxSizeBytes?: number; readonly maxFiles?: number };
}

/**
 * `private` keeps what was changed over restarts; `shared` begins clean from the image at every start;
 * `ephemeral` does that, too, and keeps its changes in memory.
 */
export type RootMode = "private" | "shared" | "ephemeral";

/** `static` takes all of the host's blocks at once, `sparse` those that are written. */
export interface DiskRequest {
  readonly sizeBytes: number;
  readonly alloc?: "sparse" | "static";
}

export type MountRequest =
  | {
      readonly type: "bind";
      /** Absolute host path. */
      readonly source: string;
      readonly target: string;
      /** Mount options as mount(8) names them: "ro", "rslave", "noexec", "idmap", … */
      readonly options?: readonly string[];
      /** -v makes a missing source directory, --mount and the library's default refuse it (podman's rule). */
      readonly createSource?: boolean;
    }
  | {
      readonly type: "volume";
      /** Made if it is missing. Without one: a volume of the container's own, with a random name. */
      readonly name?: string;
      readonly target: string;
      /** As of a bind mount. */
      readonly options?: readonly string[];
      /** false (nocopy): what the image has at the target is not copied into a new volume. */
      readonly copyUp?: boolean;
      /** U: before each start everything in it is given to the container's user. */
      readonly chown?: boolean;
      /** Filled in when the container is made: its name is a random one. */
      readonly anonymous?: boolean;
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly options?: readonly string[] };

/** Bytes, and -1 for "no limit" where the flag takes it. */
export interface LimitsRequest {
  readonly memoryBytes?: number;
  /** Memory and swap together, as podman's --memory-swap; -1 is unlimited swap. */
  readonly memorySwapBytes?: number;
  readonly memoryHighBytes?: number;
  readonly memoryReservationBytes?: number;
  /** --cpus: cores, e.g. 1.5. */
  readonly cpus?: number;
  /** --cpu-weight: cgroup v2's 1–10000. */
  readonly cpuWeight?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** -1 is unlimited; without it 2048, as podman. */
  readonly pidsLimit?: number;
  /** --io-weight: cgroup v2's 1–10000. */
  readonly ioWeight?: number;
  readonly deviceReadBps?: readonly OciThrottle[];
  readonly deviceWriteBps?: readonly OciThrottle[];
  readonly deviceReadIops?: readonly OciThrottle[];
  readonly deviceWriteIops?: readonly OciThrottle[];
}

export interface SecurityRequest {
  readonly noNewPrivileges?: boolean;
  /** "unconfined", or the absolute path of a profile file. */
  readonly seccomp?: string;
  readonly apparmor?: string;
  /** --security-opt label=…, in order. */
  readonly labels?: readonly string[];
  /** --security-opt mask=… and unmask=…. */
  readonly mask?: readonly string[];
  readonly unmask?: readonly string[];
}

export interface DeviceRequest {
  /** Host path of the node. */
  readonly source: string;
  readonly target: string;
  /** Any of "rwm". */
  readonly access: string;
  /** Filled in when the request is probed: what the node is. */
  readonly node?: OciDevice;
}

/** A namespace of its own, the host's, another container's, or a file's. */
export type NamespaceChoice =
  | { readonly kind: "private" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly container: string }
  | { readonly kind: "path"; readonly path: string };

export interface NamespacesRequest {
  readonly pid?: NamespaceChoice;
  readonly ipc?: NamespaceChoice;
  readonly uts?: NamespaceChoice;
  readonly cgroup?: NamespaceChoice;
  /** --network none is private with loopback only. */
  readonly network?: NamespaceChoice;
  readonly user?:
    | { readonly kind: "host" }
    | { readonly kind: "auto"; readonly size?: number }
    | {
        readonly kind: "maps";
        readonly uids: readonly OciIdMapping[];
        readonly gids: readonly OciIdMapping[];
      };
  /** --time-offset: a time namespace of its own whose clocks are moved, nanoseconds. */
  readonly time?: { readonly monotonicNs?: bigint; readonly boottimeNs?: bigint };
}
