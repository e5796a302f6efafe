/**
 * A container's record and what was seen of the host, composed into the OCI specification of one run.
 * Pure: the same arguments give the same specification, which is what the golden tests hold on to.
 */
import type { OciDevice, OciLinux, OciProcess, OciSeccomp, OciSpec } from "../../spec/index.ts";
import type { ContainerConfig } from "../records.ts";
import type { ContainerRequest } from "../request.ts";
import { composeMounts, type MountFacts } from "./mounts.ts";
import { checkSysctls, composeNamespaces, type NamespacePaths } from "./namespaces.ts";
import { composeResources, type ResourceFacts } from "./resources.ts";
import {
  type CapabilityFacts,
  composeCapabilities,
  composePathMasks,
  type PathMasks,
} from "./security.ts";
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
  readonly capabilities: CapabilityFacts;
  readonly masks: PathMasks;
  readonly mounts: Omit<MountFacts, "userns">;
  readonly namespacePaths: NamespacePaths;
  /** The profile that applies; undefined for none. */
  readonly seccomp?: OciSeccomp;
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
    mounts: composeMounts(request, {
      ...facts.mounts,
      ...(config.userns ? { userns: config.userns } : {}),
    }),
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
    capabilities: composeCapabilities(request, facts.user, facts.capabilities),
    ...(request.rlimits ? { rlimits: request.rlimits } : {}),
    noNewPrivileges: request.security?.noNewPrivileges ?? false,
    ...(request.oomScoreAdj === undefined ? {} : { oomScoreAdj: request.oomScoreAdj }),
    ...composeAffinity(request),
    ...composeLabels(request),
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

const SELINUX_FIELDS = ["user", "role", "type", "level"] as const;

/** --security-opt label=user:U, role:R, type:T, level:L; the parts not given are podman's. */
function composeLabels({
  security = {},
  privileged,
}: ContainerRequest): Pick<OciProcess, "apparmorProfile" | "selinuxLabel"> {
  const { apparmor, labels = [] } = security;
  const parts = new Map<string, string>([
    ["user", "system_u"],
    ["role", "system_r"],
    ["type", "container_t"],
    ["level", "s0"],
  ]);
  const given = labels.filter((label) => label !== "disable");
  for (const label of given) {
    const colon = label.indexOf(":");
    parts.set(label.slice(0, colon), label.slice(colon + 1));
  }
  const labelled = given.length > 0 && !labels.includes("disable") && !privileged;
  return {
    ...(apparmor === undefined || privileged ? {} : { apparmorProfile: apparmor }),
    ...(labelled
      ? { selinuxLabel: SELINUX_FIELDS.map((field) => parts.get(field)).join(":") }
      : {}),
  };
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
  const masks = composePathMasks(request, request.security, facts.masks);
  return {
    ...namespaces,
    ...(devices.length > 0 ? { devices } : {}),
    cgroupsPath: `${facts.cgroupParent}/${id}`,
    resources: composeResources(request, facts.resources),
    rootfsPropagation: rootPropagation(request),
    ...masks,
    ...(facts.seccomp ? { seccomp: facts.seccomp } : {}),
    ...(request.sysctls ? { sysctl: checkSysctls(request.sysctls, namespaces.namespaces) } : {}),
    ...(request.personality === undefined ? {} : { personality: { domain: request.personality } }),
  };
}

/** A mount that is to propagate needs a root that lets it: slave for what comes in, shared for both ways. */
function rootPropagation({ mounts = [] }: ContainerRequest): string {
  const options = mounts.flatMap((mount) => mount.options);
  if (options.some((option) => /^r?shared$/.test(option))) return "rshared";
  if (options.some((option) => /^r?slave$/.test(option))) return "rslave";
  return "rprivate";
}
