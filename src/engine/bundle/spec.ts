/**
 * A container's record and what was seen of the host, composed into the OCI specification of one run.
 * Pure: the same arguments give the same specification, which is what the golden tests hold on to.
 */
import type { SecurityPlan } from "../../runtime/index.ts";
import type { OciDevice, OciLinux, OciProcess, OciSpec } from "../../spec/index.ts";
import type { ContainerConfig } from "../records.ts";
import type { ContainerRequest } from "../request.ts";
import { composeMounts, type MountFacts } from "./mounts.ts";
import { checkSysctls, composeNamespaces, type NamespacePaths } from "./namespaces.ts";
import { composeResources, type ResourceFacts } from "./resources.ts";
import type { ResolvedUser } from "./user.ts";

const OCI_VERSION = "1.2.0";
const DEFAULT_UMASK = 0o022;

export interface BundleFacts {
  readonly rootPath: string;
  /** The directory that holds this container's cgroup, below the hierarchy's root. */
  readonly cgroupParent: string;
  readonly hostname: string;
  readonly user: ResolvedUser;
  readonly resources: ResourceFacts;
  readonly security: SecurityPlan;
  readonly mounts: MountFacts;
  readonly namespacePaths: NamespacePaths;
  /** --privileged: the host's device nodes. */
  readonly hostDevices?: readonly OciDevice[];
  readonly terminalSize?: { readonly rows: number; readonly cols: number };
}

export function composeSpec(config: ContainerConfig, facts: BundleFacts): OciSpec {
  const { request } = config;
  const namespaces = composeNamespaces(config, facts.namespacePaths);
  const ownsUts = namespaces.namespaces.some(({ type, path }) => type === "uts" && !path);
  return {
    ociVersion: OCI_VERSION,
    process: composeProcess(config, facts),
    root: { path: facts.rootPath, readonly: request.readOnly ?? false },
    ...(ownsUts ? { hostname: facts.hostname } : {}),
    ...(request.domainname === undefined ? {} : { domainname: request.domainname }),
    mounts: composeMounts(request, facts.mounts),
    ...(request.annotations ? { annotations: request.annotations } : {}),
    linux: composeLinux(config, namespaces, facts),
  };
}

function composeProcess(config: ContainerConfig, facts: BundleFacts): OciProcess {
  const { process, request } = config;
  const { uid, gid, additionalGids, home } = facts.user;
  const { terminalSize } = facts;
  return {
    terminal: request.tty ?? false,
    ...(terminalSize
      ? { consoleSize: { height: terminalSize.rows, width: terminalSize.cols } }
      : {}),
    user: { uid, gid, additionalGids, umask: request.umask ?? DEFAULT_UMASK },
    args: process.args,
    env: withHome(process.env, home),
    cwd: process.cwd,
    ...processSecurity(facts.security),
    ...(request.oomScoreAdj === undefined ? {} : { oomScoreAdj: request.oomScoreAdj }),
    ...composeAffinity(request),
  };
}

/** The part of a security plan that is a process's. */
export function processSecurity({
  capabilities,
  rlimits,
  noNewPrivileges,
  apparmorProfile,
  selinuxLabel,
}: SecurityPlan): Pick<
  OciProcess,
  "capabilities" | "rlimits" | "noNewPrivileges" | "apparmorProfile" | "selinuxLabel"
> {
  return {
    capabilities,
    rlimits,
    noNewPrivileges,
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
  };
}

export function withHome(env: readonly string[], home: string): readonly string[] {
  return env.some((entry) => entry.startsWith("HOME=")) ? env : [...env, `HOME=${home}`];
}

function composeAffinity({ cpuAffinity }: ContainerRequest): Pick<OciProcess, "execCPUAffinity"> {
  return cpuAffinity === undefined
    ? {}
    : { execCPUAffinity: { initial: cpuAffinity, final: cpuAffinity } };
}

function composeLinux(
  config: ContainerConfig,
  namespaces: ReturnType<typeof composeNamespaces>,
  facts: BundleFacts,
): OciLinux {
  const { request, id } = config;
  const devices = [
    ...(facts.hostDevices ?? []),
    ...(request.devices ?? []).flatMap(({ node, target }) =>
      node ? [{ ...node, path: target }] : [],
    ),
  ];
  const { maskedPaths, readonlyPaths, seccomp, mountLabel } = facts.security;
  return {
    ...namespaces,
    ...(devices.length > 0 ? { devices } : {}),
    cgroupsPath: `${facts.cgroupParent}/${id}`,
    resources: composeResources(request, facts.resources),
    rootfsPropagation: rootPropagation(request),
    maskedPaths,
    readonlyPaths,
    ...(seccomp ? { seccomp } : {}),
    ...(mountLabel === undefined ? {} : { mountLabel }),
    ...(request.sysctls ? { sysctl: checkSysctls(request.sysctls, namespaces.namespaces) } : {}),
    ...(request.personality === undefined ? {} : { personality: { domain: request.personality } }),
  };
}

/** A mount that is to propagate needs a root that lets it: slave for what comes in, shared for both ways. */
function rootPropagation({ mounts = [] }: ContainerRequest): string {
  const options = mounts.flatMap((mount) => mount.options ?? []);
  if (options.some((option) => /^r?shared$/.test(option))) return "rshared";
  if (options.some((option) => /^r?slave$/.test(option))) return "rslave";
  return "rprivate";
}
