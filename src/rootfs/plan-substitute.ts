/**
 * Bind mounts that stand in for a mount that the kernel refuses here: a sysfs shows a network namespace, an
 * mqueue an IPC namespace, and only its owner may mount it; a cgroup2 outside a cgroup namespace shows the
 * host's hierarchy, and mounting it anew costs 8 ms.
 */
import type { OciMount } from "../spec/index.ts";
import { MOUNT_ATTR } from "./flags.ts";
import type { MountContext } from "./mount-context.ts";
import { type AttributeChange, type MountOptions, merge } from "./mount-options.ts";

interface Substitute {
  readonly path: string;
  readonly bind: "bind" | "rbind";
  readonly attributes: AttributeChange;
}

export function substituteOf(
  mount: OciMount,
  options: MountOptions,
  { owns, facts }: Pick<MountContext, "owns" | "facts">,
): Substitute | undefined {
  const { attributes } = options;
  const { userNamespace } = owns;
  switch (mount.type) {
    case "sysfs":
      // Everything below it is the host's as well, its cgroups included: nothing of it may be written.
      return userNamespace && !owns.network
        ? { path: "/sys", bind: "rbind", attributes: merge(attributes, READ_ONLY) }
        : undefined;
    case "mqueue":
      return userNamespace && !owns.ipc
        ? { path: "/dev/mqueue", bind: "bind", attributes }
        : undefined;
    case "proc":
      return userNamespace && !owns.pid ? { path: "/proc", bind: "rbind", attributes } : undefined;
    case "cgroup":
    case "cgroup2":
      return cgroupSubstitute(mount, attributes, { owns, facts });
    default:
      return undefined;
  }
}

/** The whole machine's hierarchy: in a user namespace it is not writable unless that is asked for. */
function cgroupSubstitute(
  { options = [] }: OciMount,
  attributes: AttributeChange,
  { owns, facts }: Pick<MountContext, "owns" | "facts">,
): Substitute | undefined {
  const path = facts.cgroup2MountPoint;
  if (owns.cgroup || path === undefined) return undefined;
  const readOnly = owns.userNamespace && !options.includes("rw");
  return { path, bind: "bind", attributes: readOnly ? merge(attributes, READ_ONLY) : attributes };
}

const READ_ONLY: AttributeChange = { set: MOUNT_ATTR.RDONLY, clear: 0 };
