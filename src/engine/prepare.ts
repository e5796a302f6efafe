/**
 * From a container's record to the plan of one run: what must be seen of the host, in one place, and
 * between the looking only pure composition.
 */
import { readdirSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { LaunchPlan, RelayPlan } from "../plan/index.ts";
import {
  type HostFacts,
  type MachineArch,
  machineArch,
  type Prepared,
  planContainer,
  planSecurity,
  prepareLaunch,
  probeHost,
  readSeccompProfile,
  readSecurityFacts,
  type SecurityFacts,
  type SecurityPlan,
} from "../runtime/index.ts";
import type { OciDevice, OciSpec } from "../spec/index.ts";
import type { EtcFacts } from "./bundle/etc-files.ts";
import type { MountFacts } from "./bundle/mounts.ts";
import {
  type NamespacePaths,
  SHARED_NAMESPACES,
  type SharedNamespace,
} from "./bundle/namespaces.ts";
import { containerHostname } from "./bundle/process.ts";
import { composeSpec } from "./bundle/spec.ts";
import { type ResolvedUser, resolveUser } from "./bundle/user.ts";
import { observeContainer } from "./container.ts";
import { deviceNode } from "./device.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { cgroupParent, readResourceFacts, readTextIfThere } from "./host.ts";
import { type EncodedPlan, encodeFromTemplate } from "./plan-template.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { planRoot, rootDirectories } from "./root.ts";
import { readUserFiles } from "./user-files.ts";
import { readVolumeSources } from "./volumes/use.ts";

export interface PreparedRun {
  readonly spec: OciSpec;
  /** Absolute path of the container's cgroup. */
  readonly cgroup: string;
  readonly warnings: readonly string[];
  /** What the launch hands over; the caller closes it. */
  readonly prepared: Prepared;
  /** Pure from here on. */
  readonly plan: (relay: RelayPlan, options?: PlanOptions) => LaunchPlan;
  /** The same with its bytes, for the same request again and again. */
  readonly encode: (relay: RelayPlan, options?: PlanOptions) => EncodedPlan;
}

interface PlanOptions {
  readonly fault?: LaunchPlan["fault"];
  /** Have the stage report when it passed its points. */
  readonly timings?: boolean;
}

export interface TerminalSize {
  readonly rows?: number;
  readonly cols?: number;
}

/** Looks only. Throws what is wrong with the request on this host. */
export async function prepareRun(
  engine: Engine,
  config: ContainerConfig,
  terminal: TerminalSize | undefined,
): Promise<PreparedRun> {
  const { request, id } = config;
  const paths = containerPaths(engine, id);
  const root = planRoot(engine, config);
  const user = readUser(rootDirectories(engine, config), config.process.user, request.groupAdd);
  const security = containerSecurity(config, user);
  const volumes = readVolumeSources(engine, config);
  const spec = composeSpec(config, {
    rootPath: paths.rootfs,
    cgroupParent: cgroupParent(request.cgroupParent),
    hostname: containerHostname(request, id, hostname()),
    user,
    resources: readResourceFacts(),
    security,
    mounts: { etc: paths.etc, volumes, ...readIpcPeer(engine, config) },
    namespacePaths: readPeers(engine, config),
    ...(security.allDevices ? { hostDevices: readHostDevices() } : {}),
    ...(terminal?.rows && terminal.cols
      ? { terminalSize: { rows: terminal.rows, cols: terminal.cols } }
      : {}),
  });
  const directories = [...volumes.values()].flatMap(({ path, isOurs }) => (isOurs ? [path] : []));
  const facts = withOwn(probeHost(spec), { files: Object.values(paths.etc), directories });
  const prepared = await prepareLaunch(spec, root, filterCache(engine));
  const launchOf = (relay: RelayPlan, { fault, timings = false }: PlanOptions = {}) => ({
    ...{ id, root, mountPoint: paths.rootfs, prepared },
    hold: true,
    ...(request.cpuAffinity === undefined ? {} : { cpuAffinity: request.cpuAffinity }),
    init: request.init ?? false,
    daemon: true,
    ...{ relay, timings },
    ...(fault ? { fault } : {}),
  });
  return {
    spec,
    cgroup: `${facts.cgroup.mountPoint}${facts.cgroup.path}`,
    warnings: security.warnings,
    prepared,
    plan: (relay, options) => planContainer(spec, launchOf(relay, options), facts),
    encode: (relay, options) => {
      const launch = launchOf(relay, options);
      const inputs = [withoutRules(spec), launch, facts];
      return encodeFromTemplate(id, { inputs, relay }, () => planContainer(spec, launch, facts));
    },
  };
}

/** A filter's 400 rules are in the launch already, compiled. */
function withoutRules(spec: OciSpec): OciSpec {
  const { linux } = spec;
  if (!linux.seccomp) return spec;
  return { ...spec, linux: { ...linux, seccomp: { ...linux.seccomp, syscalls: [] } } };
}

/** Throws INVALID_ARGUMENT for a user or group that the container does not know. */
export function readUser(
  roots: readonly string[],
  user: string,
  groupAdd: readonly string[] = [],
): ResolvedUser {
  return resolveUser(user, groupAdd, readUserFiles(roots));
}

let securityFacts: SecurityFacts | undefined;
/** The same request on the same machine has one plan; the default filter alone is 400 rules. */
const securityPlans = new Map<string, SecurityPlan>();

/** Also for a process that joins the container later, with what it asks for besides. */
export function containerSecurity(
  { request, userns, quota }: ContainerConfig,
  { uid }: Pick<ResolvedUser, "uid">,
  extra: { readonly privileged?: boolean; readonly capAdd?: readonly string[] } = {},
): SecurityPlan {
  const { security = {}, capAdd = [], capDrop = [], rlimits, privileged = false } = request;
  const { seccomp, ...others } = security;
  const options = {
    ...others,
    capAdd: [...capAdd, ...(extra.capAdd ?? [])],
    capDrop,
    privileged: privileged || (extra.privileged ?? false),
    userIsRoot: uid === 0,
    ...(rlimits ? { rlimits } : {}),
    ...(userns ? { inUserNamespace: true } : {}),
    ...(quota && !userns ? { keepsProjects: true } : {}),
  };
  securityFacts ??= readSecurityFacts();
  if (seccomp !== undefined && seccomp !== "unconfined") {
    return planSecurity({ ...options, seccomp: readSeccompProfile(seccomp) }, securityFacts);
  }
  const key = JSON.stringify([options, seccomp]);
  let plan = securityPlans.get(key);
  if (!plan) {
    plan = planSecurity({ ...options, ...(seccomp ? { seccomp } : {}) }, securityFacts);
    securityPlans.set(key, plan);
  }
  return plan;
}

/** Where compiled filters are kept across programs: libseccomp is slow. */
export function filterCache(engine: Engine): { arch: MachineArch; cacheDir: string } {
  return { arch: machineArch(), cacheDir: join(engine.root, "cache") };
}

/** The container's own /etc files are only written when it is started. */
function withOwn(
  facts: HostFacts,
  {
    files,
    directories,
  }: { readonly files: readonly string[]; readonly directories: readonly string[] },
): HostFacts {
  const sources = new Map(facts.rootfs.sources);
  for (const file of files) sources.set(file, "file");
  for (const directory of directories) sources.set(directory, "directory");
  return { ...facts, rootfs: { ...facts.rootfs, sources } };
}

/** The host's own name files as they are now. */
export function readEtcFacts({ request, id }: ContainerConfig): EtcFacts {
  return {
    hostname: containerHostname(request, id, hostname()),
    hostHosts: request.namespaces?.network?.kind === "host" ? readTextIfThere("/etc/hosts") : "",
    hostResolvConf: readTextIfThere("/etc/resolv.conf"),
  };
}

/** Throws WRONG_STATE where a container whose namespace is to be joined does not run. */
function readPeers(engine: Engine, { request }: ContainerConfig): NamespacePaths {
  const paths: NamespacePaths = {};
  for (const type of Object.keys(SHARED_NAMESPACES) as SharedNamespace[]) {
    const choice = request.namespaces?.[type];
    if (choice?.kind !== "container") continue;
    const pid = readInitPid(engine, choice.container as ContainerId);
    paths[type] = `/proc/${pid}/ns/${SHARED_NAMESPACES[type]}`;
  }
  return paths;
}

function readIpcPeer(engine: Engine, { request }: ContainerConfig): Pick<MountFacts, "ipcPeer"> {
  const ipc = request.namespaces?.ipc;
  if (ipc?.kind !== "container") return {};
  return { ipcPeer: `/proc/${readInitPid(engine, ipc.container as ContainerId)}/ns/mnt` };
}

function readInitPid(engine: Engine, id: ContainerId): number {
  const peer = observeContainer(engine, id, { lockHeld: true });
  const running = peer?.status === "running" || peer?.status === "paused";
  if (running && peer.state?.init) return peer.state.init.pid;
  const name = peer?.config.name ?? id;
  throw new TsrunError("WRONG_STATE", `cannot join the namespaces of "${name}": it does not run`, {
    hint: `Start it first with \`tsrun start ${name}\`.`,
  });
}

/** What --privileged does not hand on: they belong to a terminal or are the container's own mounts. */
const OWN_DEVICES = new Set([
  "console",
  "ptmx",
  "tty",
  "null",
  "zero",
  "full",
  "random",
  "urandom",
]);
const OWN_DIRECTORIES = new Set(["pts", "shm", "mqueue", "hugepages", "fd"]);
const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** Every device node of the host's /dev. */
function readHostDevices(directory = "/dev"): OciDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return OWN_DIRECTORIES.has(entry.name) ? [] : readHostDevices(path);
    const isNode = entry.isCharacterDevice() || entry.isBlockDevice();
    if (!isNode || (directory === "/dev" && OWN_DEVICES.has(entry.name))) return [];
    const device = readDevice(path);
    return device ? [device] : [];
  });
}

function readDevice(path: string): OciDevice | undefined {
  try {
    const stat = statSync(path);
    const type = stat.mode & S_IFMT;
    if (type === S_IFCHR) return deviceNode(path, "c", stat);
    return type === S_IFBLK ? deviceNode(path, "b", stat) : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return undefined; // unplugged meanwhile
    throw error;
  }
}
