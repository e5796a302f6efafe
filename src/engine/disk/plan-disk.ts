import type { ContainerRequest } from "../request.ts";

/** A project quota on a directory of the root's file system, or a file system of its own in a file. */
export type DiskKind = "quota" | "image";

export interface DiskFacts {
  /** The root's file system counts projects, and holds them to their limits. */
  readonly projectQuota: boolean;
}

/** How a container's disk is kept to its size. Pure. */
export function planDisk(request: ContainerRequest, { projectQuota }: DiskFacts): DiskKind {
  if (!projectQuota || request.disk?.alloc === "static") return "image";
  return canLeaveProject(request) ? "image" : "quota";
}

/** CAP_SYS_ADMIN sets limits; ext4 lets CAP_SYS_RESOURCE pass them where a file is mapped. */
const ABOVE_QUOTAS = /^(?:CAP_)?(?:ALL|SYS_ADMIN|SYS_RESOURCE)$/i;

/**
 * Outside user namespaces the owner of a file may give it another project (linux/fs.h: FS_IOC_FSSETXATTR,
 * FS_IOC_SETFLAGS). The default seccomp filter then has to forbid that, and there must be one.
 */
function canLeaveProject({ namespaces, ...request }: ContainerRequest): boolean {
  const user = namespaces?.user?.kind ?? "host";
  if (user !== "host") return false;
  const { privileged, capAdd = [], security } = request;
  if (privileged || security?.seccomp !== undefined) return true;
  return capAdd.some((capability) => ABOVE_QUOTAS.test(capability));
}
