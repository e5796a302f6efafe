/**
 * The OCI Runtime Specification's config.json for Linux, as types: the vocabulary between the engine,
 * which composes such a specification, and the runtime, which compiles it into a launch plan.
 * Field names are the specification's own (config.md, config-linux.md, version 1.3). What is left out
 * here belongs to other platforms.
 */

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: OciRoot;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly OciMount[];
  readonly hooks?: OciHooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
}

export interface OciRoot {
  /** Absolute path on the host. */
  readonly path: string;
  readonly readonly?: boolean;
}

export type OciHookName =
  | "prestart"
  | "createRuntime"
  | "createContainer"
  | "startContainer"
  | "poststart"
  | "poststop";

export type OciHooks = Readonly<Partial<Record<OciHookName, readonly OciHook[]>>>;

export interface OciHook {
  /** Absolute, in the namespaces in which the hook runs. */
  readonly path: string;
  /** The whole argv, argv[0] included; absent is the path alone. */
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds, more than 0. */
  readonly timeout?: number;
}

export interface OciProcess {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities?: OciCapabilities;
  readonly rlimits?: readonly OciRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
  readonly scheduler?: OciScheduler;
  readonly ioPriority?: { readonly class: string; readonly priority: number };
  /** Of further processes (exec), never of the container's first: CPU lists. */
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Names with the CAP_ prefix. */
export interface OciCapabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly permitted?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly ambient?: readonly string[];
}

export interface OciRlimit {
  /** "RLIMIT_NOFILE" and so on. */
  readonly type: string;
  /** RLIM_INFINITY is 2^64-1 in the specification; -1 or Infinity mean the same here. */
  readonly soft: number;
  readonly hard: number;
}

export interface OciScheduler {
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

export interface OciMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  /** tsrun's own: of a bind mount, the file of the mount namespace in which the source is; absent is ours. */
  readonly sourceNamespace?: string;
}

export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export type OciNamespaceType =
  | "pid"
  | "network"
  | "mount"
  | "ipc"
  | "uts"
  | "user"
  | "cgroup"
  | "time";

export interface OciNamespace {
  readonly type: OciNamespaceType;
  /** A namespace file to join; absent makes a new one. */
  readonly path?: string;
}

export interface OciDevice {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "c" | "b";
  readonly major?: number;
  readonly minor?: number;
  /** Any of "rwm". */
  readonly access?: string;
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  readonly timeOffsets?: {
    readonly monotonic?: OciTimeOffset;
    readonly boottime?: OciTimeOffset;
  };
  readonly devices?: readonly OciDevice[];
  /** Absolute: below the root of the hierarchy's tsrun may use. */
  readonly cgroupsPath?: string;
  readonly resources?: OciResources;
  readonly rootfsPropagation?: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly seccomp?: OciSeccomp;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly mountLabel?: string;
  readonly personality?: { readonly domain: string; readonly flags?: readonly string[] };
  readonly intelRdt?: OciIntelRdt;
  /** Interfaces of the runtime's network namespace that the container gets, by their name there. */
  readonly netDevices?: Readonly<Record<string, OciNetDevice>>;
  readonly memoryPolicy?: OciMemoryPolicy;
}

export interface OciIntelRdt {
  /** The directory below resctrl; absent is the container's id. */
  readonly closID?: string;
  /** Lines of the `schemata` file. */
  readonly schemata?: readonly string[];
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableMonitoring?: boolean;
}

export interface OciNetDevice {
  /** Its name in the container; absent keeps the host's. */
  readonly name?: string;
}

/** set_mempolicy(2). */
export interface OciMemoryPolicy {
  /** "MPOL_BIND" and so on. */
  readonly mode: string;
  /** A list of NUMA nodes, "0-1,3". */
  readonly nodes?: string;
  /** "MPOL_F_STATIC_NODES" and so on. */
  readonly flags?: readonly string[];
}

export interface OciTimeOffset {
  readonly secs?: number;
  readonly nanosecs?: number;
}

export interface OciResources {
  readonly devices?: readonly OciDeviceRule[];
  readonly memory?: OciMemory;
  readonly cpu?: OciCpu;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIo;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly rdma?: Readonly<
    Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>
  >;
  readonly network?: {
    readonly classID?: number;
    readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
  };
  /** cgroup v2 file names and what is written to them. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Bytes; -1 is "no limit". */
export interface OciMemory {
  readonly limit?: number;
  /** memory.low on cgroup v2. */
  readonly reservation?: number;
  /** Memory and swap together, as cgroup v1 counted it. */
  readonly swap?: number;
  readonly kernel?: number;
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

export interface OciCpu {
  /** cgroup v1 shares, 2–262144. */
  readonly shares?: number;
  /** Microseconds; -1 is "no limit". */
  readonly quota?: number;
  readonly burst?: number;
  /** Microseconds. */
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

export interface OciBlockIo {
  /** 10–1000. */
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly {
    readonly major: number;
    readonly minor: number;
    readonly weight?: number;
    readonly leafWeight?: number;
  }[];
  readonly throttleReadBpsDevice?: readonly OciThrottle[];
  readonly throttleWriteBpsDevice?: readonly OciThrottle[];
  readonly throttleReadIOPSDevice?: readonly OciThrottle[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
}

export interface OciThrottle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly OciSyscallRule[];
}

export interface OciSyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSyscallArg[];
}

export interface OciSyscallArg {
  readonly index: number;
  /** 64-bit values are safe as bigint; numbers up to 2^53. */
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: string;
}
