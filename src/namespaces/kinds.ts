import type { OciNamespaceType } from "../spec/index.ts";

interface NamespaceKind {
  /** CLONE_NEW*, clone(2). */
  readonly flag: number;
  /** The file's name in /proc/PID/ns/, namespaces(7). */
  readonly procName: string;
}

/** The eight namespaces of Linux by OCI's names, in the order in which they are joined. */
export const NAMESPACE_KINDS = {
  ipc: { flag: 0x0800_0000, procName: "ipc" },
  uts: { flag: 0x0400_0000, procName: "uts" },
  network: { flag: 0x4000_0000, procName: "net" },
  time: { flag: 0x0000_0080, procName: "time" },
  cgroup: { flag: 0x0200_0000, procName: "cgroup" },
  mount: { flag: 0x0002_0000, procName: "mnt" },
  pid: { flag: 0x2000_0000, procName: "pid" },
  user: { flag: 0x1000_0000, procName: "user" },
} as const satisfies Readonly<Record<OciNamespaceType, NamespaceKind>>;

export const NAMESPACE_TYPES = Object.keys(NAMESPACE_KINDS) as readonly OciNamespaceType[];
