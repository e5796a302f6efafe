/**
 * One entry of `mounts` as requests: what is mounted is prepared in the host phase where it is the
 * host's (bind mounts), made in the child where it is the container's, and attached in the child on a
 * mount point that was resolved below the container's root.
 */
import type { Slot } from "../plan/index.ts";
import type { OciMount } from "../spec/index.ts";
import { invalid } from "./invalid.ts";
import type { MountContext, MountPlan } from "./mount-context.ts";
import { type MountOptions, merge, parseMountOptions } from "./mount-options.ts";
import { isStrict } from "./mount-places.ts";
import { attach, close, openTarget, opMaker, relative, setAttributes } from "./ops.ts";
import { type BindSource, planBind } from "./plan-bind.ts";
import { planNewMount } from "./plan-new-mount.ts";
import { substituteOf } from "./plan-substitute.ts";

/** Throws INVALID_SPEC, NOT_FOUND or UNSUPPORTED, naming the entry, for what cannot be mounted. */
export function planMount(mount: OciMount, origin: string, context: MountContext): MountPlan {
  const options = parseMountOptions(mount.options ?? [], origin);
  assertDestination(mount.destination, origin);
  if (context.prepared !== undefined) {
    return attachPrepared(mount, options, context.prepared, origin, context);
  }
  const bind = bindOf(mount, options, context);
  if (bind) return planBind(mount, { ...bind, origin, context });
  assertNoBindOptions(mount, options, origin);
  switch (mount.type) {
    case "cgroup":
    case "cgroup2":
      return planNewMount(mount, "cgroup2", options, origin, context);
    case undefined:
      throw invalid(
        origin,
        `the mount of "${mount.destination}" has no type`,
        'Give it a type, or the option "bind".',
      );
    default:
      return planNewMount(mount, mount.type, options, origin, context);
  }
}

function assertDestination(destination: string, origin: string): void {
  if (destination === "") throw invalid(origin, "the mount has no destination");
  if (relative(destination) === ".") {
    throw invalid(
      origin,
      `nothing can be mounted on "${destination}"`,
      "The root is what root.path names.",
    );
  }
}

/** The source of a bind mount, also of one that stands in for what the kernel refuses. */
function bindOf(
  mount: OciMount,
  options: MountOptions,
  { owns, facts }: MountContext,
): BindSource | undefined {
  if (options.bind || mount.type === "bind") {
    const path = mount.source ?? "";
    const bindOptions = { ...options, bind: options.bind ?? "bind" };
    const { sourceNamespace: namespace } = mount;
    if (namespace !== undefined) {
      return { path, namespace, kind: "directory", options: bindOptions };
    }
    return { path, kind: facts.sources.get(path) ?? "missing", options: bindOptions };
  }
  const substitute = substituteOf(mount, options, { owns, facts });
  if (!substitute) return undefined;
  const { path, bind, attributes } = substitute;
  return {
    path,
    kind: "directory",
    options: { ...options, bind, data: [], superblock: 0, recursiveAttributes: attributes },
  };
}

function assertNoBindOptions(mount: OciMount, options: MountOptions, origin: string): void {
  if (options.idMap || mount.uidMappings?.length || mount.gidMappings?.length) {
    throw invalid(origin, "only a bind mount can be id-mapped");
  }
  if (options.tmpCopyUp && mount.type !== "tmpfs") {
    throw invalid(origin, "tmpcopyup is an option of tmpfs");
  }
}

/** A tmpfs that was filled before the launch (tmpcopyup). */
function attachPrepared(
  mount: OciMount,
  options: MountOptions,
  prepared: Slot,
  origin: string,
  { slots }: MountContext,
): MountPlan {
  const child = opMaker("child", origin);
  const change = merge(options.attributes, options.recursiveAttributes);
  return {
    host: setAttributes(opMaker("host", origin), prepared, change),
    child: [
      ...openTarget(child, slots, {
        path: mount.destination,
        kind: "directory",
        strict: isStrict(mount),
      }),
      child(attach(prepared, slots.target)),
      child(close(slots.target)),
    ],
    mounted: prepared,
  };
}
