/**
 * A request's namespace choices as OCI's list. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import type { OciLinux, OciNamespace, OciNamespaceType } from "../../spec/index.ts";
import type { ContainerConfig } from "../records.ts";
import type { NamespaceChoice, NamespacesRequest } from "../request.ts";

/** The namespaces that another container can be asked for, by the names of /proc/PID/ns. */
export const SHARED_NAMESPACES = {
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
  network: "net",
} as const satisfies Partial<Record<OciNamespaceType, string>>;
export type SharedNamespace = keyof typeof SHARED_NAMESPACES;

/** Files of the namespaces that belong to other containers, found before the bundle is made. */
export type NamespacePaths = Partial<Record<SharedNamespace, string>>;

export function composeNamespaces(
  { request, userns }: Pick<ContainerConfig, "request" | "userns">,
  paths: NamespacePaths,
): Pick<OciLinux, "namespaces" | "uidMappings" | "gidMappings" | "timeOffsets"> {
  const choices = request.namespaces ?? {};
  const shared = Object.keys(SHARED_NAMESPACES) as SharedNamespace[];
  const namespaces: OciNamespace[] = [
    { type: "mount" },
    ...shared.flatMap((type) => composeNamespace(type, choices[type], paths[type])),
  ];
  if (userns) namespaces.push({ type: "user" });
  const timeOffsets = composeTimeOffsets(choices.time);
  if (timeOffsets) namespaces.push({ type: "time" });
  return {
    namespaces,
    ...(userns ? { uidMappings: userns.uids, gidMappings: userns.gids } : {}),
    ...(timeOffsets ? { timeOffsets } : {}),
  };
}

function composeNamespace(
  type: SharedNamespace,
  choice: NamespaceChoice = { kind: "private" },
  containerPath: string | undefined,
): OciNamespace[] {
  switch (choice.kind) {
    case "private":
      return [{ type }];
    case "host":
      return [];
    case "path":
      return [{ type, path: choice.path }];
    case "container":
      if (containerPath === undefined) throw new Error(`no path was found for ${type}`);
      return [{ type, path: containerPath }];
  }
}

const NS_PER_SECOND = 1_000_000_000n;

function composeTimeOffsets(time: NamespacesRequest["time"]): OciLinux["timeOffsets"] {
  if (!time) return undefined;
  const { monotonicNs, boottimeNs } = time;
  return {
    ...(monotonicNs === undefined ? {} : { monotonic: offset(monotonicNs) }),
    ...(boottimeNs === undefined ? {} : { boottime: offset(boottimeNs) }),
  };
}

/** The kernel wants nanoseconds to be positive, also before zero: time_namespaces(7). */
function offset(ns: bigint): { secs: number; nanosecs: number } {
  const nanosecs = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  return { secs: Number((ns - nanosecs) / NS_PER_SECOND), nanosecs: Number(nanosecs) };
}

interface SysctlRule {
  readonly pattern: RegExp;
  readonly namespace: SharedNamespace;
  readonly label: string;
}

/** The kernel parameters that a namespace has for itself; all others would change the host. namespaces(7). */
const NAMESPACED_SYSCTLS: readonly SysctlRule[] = [
  { pattern: /^net\./, namespace: "network", label: "--network" },
  { pattern: /^kernel\.(msgmax|msgmnb|msgmni|msg_next_id)$/, namespace: "ipc", label: "--ipc" },
  {
    pattern: /^kernel\.(sem|sem_next_id|shmall|shmmax|shmmni|shm_next_id|shm_rmid_forced)$/,
    namespace: "ipc",
    label: "--ipc",
  },
  { pattern: /^fs\.mqueue\./, namespace: "ipc", label: "--ipc" },
  { pattern: /^kernel\.domainname$/, namespace: "uts", label: "--uts" },
];

/** Throws INVALID_ARGUMENT for a parameter that is not the container's own. */
export function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  namespaces: readonly OciNamespace[],
): Readonly<Record<string, string>> {
  for (const name of Object.keys(sysctls)) {
    const dotted = name.replaceAll("/", ".");
    const rule = NAMESPACED_SYSCTLS.find(({ pattern }) => pattern.test(dotted));
    if (!rule) {
      throw new TsrunError("INVALID_ARGUMENT", `the sysctl "${name}" is not a container's own`, {
        hint: "Only net.*, fs.mqueue.* and System V IPC's kernel.* belong to a namespace; set others on the host.",
        origin: "sysctls",
      });
    }
    const own = namespaces.some(({ type, path }) => type === rule.namespace && path === undefined);
    if (!own) {
      throw new TsrunError(
        "INVALID_ARGUMENT",
        `the sysctl "${name}" needs a private ${rule.namespace} namespace`,
        {
          hint: `Leave out ${rule.label}, or set it where that namespace was made.`,
          origin: "sysctls",
        },
      );
    }
  }
  return sysctls;
}
