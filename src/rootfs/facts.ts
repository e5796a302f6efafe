/** What planRootfs must know of the host; `readRootfsFacts` fills it in. */

export type SourceKind = "directory" | "file" | "missing";

export interface RootfsFacts {
  /** mount_setattr(2), Linux 5.12: bind mounts, read-only paths and id-mapped mounts need it. */
  readonly mountSetattr: boolean;
  /** Overlay layers can be given one by one (fsconfig "lowerdir+", Linux 6.7). */
  readonly overlayLowerAppend: boolean;
  /** "c 1:3" is what /dev/null is; anything else must not become a mask (CVE-2025-31133). */
  readonly nullDeviceIsGenuine: boolean;
  /** mknod(2) of devices is allowed: CAP_MKNOD in the first user namespace. */
  readonly mayMakeDevices: boolean;
  /** Where cgroup v2 is mounted, e.g. "/sys/fs/cgroup". */
  readonly cgroup2MountPoint?: string;
  /** Mounts take a context= option. */
  readonly selinux: boolean;
  /** What each bind mount's source is; links are followed. */
  readonly sources: ReadonlyMap<string, SourceKind>;
  /** For each device's path in the container: a node of the host's that is the same device. */
  readonly deviceNodes: ReadonlyMap<string, string>;
}
