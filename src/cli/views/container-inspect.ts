/**
 * Everything about a container under podman's names.
 */
import {
  type ContainerConfig,
  type ContainerRequest,
  type ContainerView,
  currentUpper,
  type Engine,
  type LimitsRequest,
  layersOf,
  lowerDirectories,
  type MountRequest,
  type NamespaceChoice,
  type NamespacesRequest,
  readVolumePath,
} from "../../engine/index.ts";
import { toMap, type Value, type ValueRecord } from "../format/value.ts";
import { exitCode } from "./container-row.ts";

/** Go's zero time: podman's word for "never". */
const NEVER = "0001-01-01T00:00:00Z";

/** `root` is the engine's: records.ts says what lies where below it. */
export function inspectView(view: ContainerView, engine: Engine): ValueRecord {
  const { root } = engine;
  const { config } = view;
  const { request, image, process } = config;
  const [path = "", ...args] = process.args;
  const directory = `${root}/containers/${config.id}`;
  return {
    Id: config.id,
    Name: config.name,
    Created: config.createdAt,
    Path: path,
    Args: args,
    State: stateView(view),
    Image: image?.id ?? "",
    ImageName: image?.reference ?? "",
    Rootfs: request.rootfs ?? "",
    LogPath: `${directory}/container.log`,
    ConfigPath: `${directory}/config.json`,
    GraphDriver: layersView(config, engine),
    Snapshots: layersOf(config).snapshots.map(({ name }) => name),
    ClonedFrom: layersOf(config).clonedFrom?.id ?? "",
    Mounts: (request.mounts ?? []).map((mount) => mountView(mount, engine)),
    Config: configView(config),
    HostConfig: hostConfigView(config),
  };
}

/** Where its files are; nothing of an ephemeral root's upper, and of a root that is no overlay, is. */
function layersView(config: ContainerConfig, engine: Engine): ValueRecord {
  if (!config.image) return { Name: "", Data: {} };
  const upper = currentUpper(engine, config);
  return {
    Name: "overlay",
    Data: {
      LowerDir: lowerDirectories(engine, config).join(":"),
      UpperDir: upper?.dir ?? "",
      WorkDir: upper?.work ?? "",
    },
  };
}

function stateView(view: ContainerView): ValueRecord {
  const { status, state, exit } = view;
  return {
    Status: status,
    Running: status === "running" || status === "paused",
    Paused: status === "paused",
    OOMKilled: exit?.oomKilled ?? false,
    Pid: state?.init?.pid ?? 0,
    SupervisorPid: state?.supervisor?.pid ?? 0,
    ExitCode: exitCode(view),
    Signal: exit?.signal ?? 0,
    StartedAt: state?.startedAt ?? NEVER,
    FinishedAt: exit?.finishedAt ?? NEVER,
    CgroupPath: state?.cgroup ?? "",
    LogLost: exit?.logLost ?? 0,
  };
}

function mountView(mount: MountRequest, engine: Engine): ValueRecord {
  const { options = [] } = mount;
  const readOnly = options.includes("ro") || options.includes("rro");
  return {
    Type: mount.type,
    ...(mount.type === "volume" ? { Name: mount.name ?? "", Driver: "local" } : {}),
    Source: mountSource(mount, engine),
    Destination: mount.target,
    Options: options,
    RW: !readOnly,
    Propagation:
      options.find((option) => /^r?(shared|slave|private|unbindable)$/.test(option)) ?? "rprivate",
  };
}

function mountSource(mount: MountRequest, engine: Engine): string {
  if (mount.type === "tmpfs") return "";
  return mount.type === "bind" ? mount.source : readVolumePath(engine, mount.name ?? "");
}

function configView({ request, process, image }: ContainerConfig): ValueRecord {
  return {
    Hostname: request.hostname ?? "",
    Domainname: request.domainname ?? "",
    User: process.user,
    Tty: request.tty ?? false,
    OpenStdin: request.interactive ?? false,
    Env: process.env,
    Cmd: request.command ?? [],
    Entrypoint: request.entrypoint ?? [],
    Image: image?.reference ?? "",
    WorkingDir: process.cwd,
    Labels: toMap(request.labels),
    Annotations: toMap(request.annotations),
    StopSignal: process.stopSignal,
    StopTimeout: process.stopTimeoutSeconds,
    Umask: `0${(request.umask ?? 0o022).toString(8).padStart(3, "0")}`,
  };
}

function hostConfigView({ request, userns, quota }: ContainerConfig): ValueRecord {
  return {
    AutoRemove: request.remove ?? false,
    ReadonlyRootfs: request.readOnly ?? false,
    ...rootView(request, quota),
    Init: request.init ?? false,
    ...securityView(request),
    ...namespacesView(request.namespaces ?? {}),
    IDMappings: mappingsView(userns),
    Dns: request.dns ?? [],
    ExtraHosts: (request.addHosts ?? []).map(({ name, address }) => `${name}:${address}`),
    GroupAdd: request.groupAdd ?? [],
    LogConfig: {
      MaxSize: request.log?.maxSizeBytes ?? 0,
      MaxFiles: request.log?.maxFiles ?? 0,
    },
    CgroupParent: request.cgroupParent ?? "",
    OomScoreAdj: request.oomScoreAdj ?? 0,
    ShmSize: request.shmSizeBytes ?? 64 * 1024 * 1024,
    Ulimits: (request.rlimits ?? []).map(
      ({ type, soft, hard }): ValueRecord => ({ Name: type, Soft: soft, Hard: hard }),
    ),
    ...limitsView(request.limits ?? {}),
  };
}

function rootView(
  { rootMode, rootSizeBytes, disk }: ContainerRequest,
  quota: ContainerConfig["quota"],
): ValueRecord {
  return {
    RootMode: rootMode ?? "private",
    RootSize: rootSizeBytes ?? 0,
    Disk: disk?.sizeBytes ?? 0,
    DiskAlloc: disk ? (disk.alloc ?? "sparse") : "",
    DiskKind: disk ? (quota ? "quota" : "image") : "",
  };
}

function securityView(request: ContainerRequest): ValueRecord {
  const { noNewPrivileges = false, ...security } = request.security ?? {};
  return {
    Privileged: request.privileged ?? false,
    CapAdd: request.capAdd ?? [],
    CapDrop: request.capDrop ?? [],
    SecurityOpt: {
      NoNewPrivileges: noNewPrivileges,
      Seccomp: security.seccomp ?? "",
      AppArmor: security.apparmor ?? "",
      Labels: security.labels ?? [],
      Mask: security.mask ?? [],
      Unmask: security.unmask ?? [],
    },
    Devices: (request.devices ?? []).map(
      ({ source, target, access }): ValueRecord => ({
        PathOnHost: source,
        PathInContainer: target,
        CgroupPermissions: access,
      }),
    ),
    Sysctls: toMap(request.sysctls),
  };
}

function namespacesView(namespaces: NamespacesRequest): ValueRecord {
  const { network = { kind: "private" } } = namespaces;
  return {
    PidMode: choiceText(namespaces.pid),
    IpcMode: choiceText(namespaces.ipc),
    UTSMode: choiceText(namespaces.uts),
    CgroupMode: choiceText(namespaces.cgroup),
    NetworkMode: network.kind === "private" ? "none" : choiceText(network),
    UsernsMode: namespaces.user?.kind ?? "host",
  };
}

/** 0 where no limit was asked for, as podman shows it; -1 for an explicit "no limit". */
function limitsView(limits: LimitsRequest): ValueRecord {
  return {
    Memory: limits.memoryBytes ?? 0,
    MemorySwap: limits.memorySwapBytes ?? 0,
    MemoryHigh: limits.memoryHighBytes ?? 0,
    MemoryReservation: limits.memoryReservationBytes ?? 0,
    NanoCpus: Math.round((limits.cpus ?? 0) * 1e9),
    CpuWeight: limits.cpuWeight ?? 0,
    CpusetCpus: limits.cpusetCpus ?? "",
    CpusetMems: limits.cpusetMems ?? "",
    PidsLimit: limits.pidsLimit ?? 2048,
    BlkioWeight: limits.ioWeight ?? 0,
    BlkioDeviceReadBps: throttles(limits.deviceReadBps),
    BlkioDeviceWriteBps: throttles(limits.deviceWriteBps),
    BlkioDeviceReadIOps: throttles(limits.deviceReadIops),
    BlkioDeviceWriteIOps: throttles(limits.deviceWriteIops),
  };
}

function throttles(list: LimitsRequest["deviceReadBps"] = []): readonly Value[] {
  return list.map(({ major, minor, rate }) => ({ Major: major, Minor: minor, Rate: rate }));
}

function choiceText(choice: NamespaceChoice | undefined): string {
  if (choice === undefined) return "private";
  if (choice.kind === "container") return `container:${choice.container}`;
  return choice.kind === "path" ? `ns:${choice.path}` : choice.kind;
}

function mappingsView(userns: ContainerConfig["userns"]): ValueRecord {
  const { uids = [], gids = [] } = userns ?? {};
  return { UidMap: uids.map(mappingText), GidMap: gids.map(mappingText) };
}

function mappingText({
  containerID,
  hostID,
  size,
}: {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}): string {
  return `${containerID}:${hostID}:${size}`;
}
