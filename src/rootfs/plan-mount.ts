/**
 * One entry of `mounts` as requests: what is mounted is prepared in the host phase where it is the
 * host's (bind mounts), made in the child where it is the container's, and attached in the child on a
 * mount point that was resolved below the container's root.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import type { OciMount } from "../spec/index.ts";
import type { RootfsFacts, SourceKind } from "./facts.ts";
import { AT_RECURSIVE, FSCONFIG, MOUNT_ATTR, MS, O_CLOEXEC, OPEN_TREE_CLONE } from "./flags.ts";
import {
  type AttributeChange,
  type MountOptions,
  merge,
  mountFlags,
  parseMountOptions,
  SUPERBLOCK_KEYS,
} from "./mount-options.ts";
import {
  attach,
  close,
  mountSetattr,
  type OpMaker,
  openAt,
  openTarget,
  opMaker,
  type RootfsSlots,
  relative,
  resolveFlags,
  setAttributes,
  setPropagation,
  type TargetKind,
} from "./ops.ts";
import { planPeerSource } from "./plan-peer-source.ts";

/** Whether the container has namespaces that its user namespace owns: the kernel's condition for some mounts. */
export interface NamespaceOwnership {
  readonly userNamespace: boolean;
  readonly network: boolean;
  readonly ipc: boolean;
  readonly pid: boolean;
  /** The container has a cgroup namespace that is not the host's. */
  readonly cgroup: boolean;
}

export interface MountContext {
  readonly owns: NamespaceOwnership;
  readonly facts: RootfsFacts;
  readonly slots: RootfsSlots;
  readonly mountLabel: string;
  /** The user namespace with this mount's maps, where it has any. */
  readonly idMapSlot: Slot | undefined;
  /** A detached mount that the caller made before the launch. */
  readonly prepared: Slot | undefined;
}

export interface MountPlan {
  readonly host: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
  /** The new mount itself, where something is to be done in it later (proc, /dev, devpts). */
  readonly mounted?: Slot;
}

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

/** These are made by the container's own namespaces and must not be where a link of the image leads. */
const STRICT_TYPES = new Set(["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"]);

export function isStrict({ type = "", destination }: OciMount): boolean {
  return STRICT_TYPES.has(type) || relative(destination) === "dev";
}

/** Files of /proc that something like lxcfs may replace; the rest of it must be the kernel's. */
export const REPLACEABLE = new Set([
  "proc/cpuinfo",
  "proc/diskstats",
  "proc/loadavg",
  "proc/meminfo",
  "proc/net/dev",
  "proc/slabinfo",
  "proc/stat",
  "proc/swaps",
  "proc/uptime",
  "proc/sys/kernel/ns_last_pid",
  "proc/sys/crypto/fips_enabled",
  "proc/sys/fs/binfmt_misc",
]);

export function isReplaceable(destination: string): boolean {
  return REPLACEABLE.has(relative(destination));
}

interface BindSource {
  readonly path: string;
  /** The file of the mount namespace that `path` is in; undefined is ours. */
  readonly namespace?: string;
  readonly kind: SourceKind;
  readonly options: MountOptions;
}

/**
 * The source of a bind mount. Also of those that stand in for a mount that the kernel refuses here: a
 * sysfs shows a network namespace, an mqueue an IPC namespace, and only its owner may mount it;
 * a cgroup2 outside a cgroup namespace shows the host's hierarchy, and mounting it anew costs 8 ms.
 */
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

interface Substitute {
  readonly path: string;
  readonly bind: "bind" | "rbind";
  readonly attributes: AttributeChange;
}

function substituteOf(
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

interface BindRequest extends BindSource {
  readonly origin: string;
  readonly context: MountContext;
}

/**
 * Opened and dressed in the host phase: there the source's path can be walked even where the
 * container's root could not, and the attributes are set before anybody sees the mount.
 */
function planBind(mount: OciMount, request: BindRequest): MountPlan {
  const { path, namespace, kind, options, origin, context } = request;
  assertBindable(request);
  const { slots, idMapSlot } = context;
  const host = opMaker("host", origin);
  const child = opMaker("child", origin);
  const source = slots.allocator.take();
  const recursive = options.bind === "rbind";
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  // Without a word about it, nothing passes between the host's mounts and the container's.
  const propagation = options.propagation ?? { type: MS.PRIVATE, recursive: true };
  const target: TargetKind = kind === "file" ? "file" : "directory";
  return {
    host: [
      ...(namespace === undefined
        ? [host({ kind: "openTree", path, dir: SLOT_CWD, flags, out: source })]
        : planPeerSource(host, slots, { namespace, path, flags, out: source })),
      {
        ...setPropagation(host, source, propagation),
        ...(namespace === undefined
          ? {}
          : { hint: `The other container has no ${path} any more.` }),
      },
      ...setAttributes(host, source, options.recursiveAttributes, { recursive: true }),
      ...setAttributes(host, source, options.attributes),
      ...(idMapSlot === undefined
        ? []
        : [
            planIdMap(host, source, {
              path,
              recursive: options.idMap?.recursive ?? false,
              userns: idMapSlot,
            }),
          ]),
    ],
    child: [
      ...openTarget(child, slots, {
        path: mount.destination,
        kind: target,
        strict: isStrict(mount),
        mayBeInProc: isReplaceable(mount.destination),
      }),
      child(attach(source, slots.target), { hint: targetHint(mount.destination, target) }),
      child(close(slots.target)),
    ],
    mounted: source,
  };
}

function targetHint(destination: string, kind: TargetKind): string {
  return `A ${kind} can only be mounted on a ${kind}, and the image has something else at "${destination}".`;
}

function assertBindable({ path, kind, options, origin, context }: BindRequest): void {
  if (!path.startsWith("/")) {
    throw invalid(origin, `the bind mount's source "${path}" is not an absolute path`);
  }
  if (kind === "missing") {
    throw new TsrunError(
      "NOT_FOUND",
      `${origin}: the bind mount's source "${path}" does not exist`,
      {
        origin,
        hint: "Create it on the host first.",
      },
    );
  }
  if (!context.facts.mountSetattr) {
    throw new TsrunError("UNSUPPORTED", `${origin}: bind mounts need mount_setattr(2)`, {
      origin,
      hint: "Use Linux 5.12 or later.",
    });
  }
  const [foreign] = options.data;
  if (foreign !== undefined) {
    throw invalid(
      origin,
      `"${foreign}" is not an option of a bind mount`,
      "The file system of the source has its options already; a bind mount only has ro, nosuid and the like.",
    );
  }
  if (options.superblock !== 0) {
    throw invalid(
      origin,
      "sync, dirsync, mand, lazytime and iversion belong to a whole file system, not to a bind mount",
    );
  }
  if (options.tmpCopyUp)
    throw invalid(origin, "tmpcopyup is an option of tmpfs, not of a bind mount");
}

function planIdMap(
  host: OpMaker,
  slot: Slot,
  { path, recursive, userns }: { path: string; recursive: boolean; userns: Slot },
): PlannedOp {
  return host(mountSetattr(slot, { attrSet: MOUNT_ATTR.IDMAP, recursive, userns }), {
    hint: `The file system of "${path}" must support id-mapped mounts, and so must those below it with ridmap.`,
  });
}

function assertNoBindOptions(mount: OciMount, options: MountOptions, origin: string): void {
  if (options.idMap || mount.uidMappings?.length || mount.gidMappings?.length) {
    throw invalid(origin, "only a bind mount can be id-mapped");
  }
  if (options.tmpCopyUp && mount.type !== "tmpfs") {
    throw invalid(origin, "tmpcopyup is an option of tmpfs");
  }
}

/** A new instance of a file system. */
function planNewMount(
  mount: OciMount,
  fstype: string,
  options: MountOptions,
  origin: string,
  context: MountContext,
): MountPlan {
  const labelled = withLabel(fstype, options, context);
  // A new mount has nothing below it yet.
  const { set } = merge(options.attributes, options.recursiveAttributes);
  const request = { mount, fstype, options: labelled, attributes: set, origin, context };
  return needsDescriptor(mount) ? planDescribedMount(request) : planClassicMount(request);
}

interface NewMount {
  readonly mount: OciMount;
  readonly fstype: string;
  readonly options: MountOptions;
  readonly attributes: number;
  readonly origin: string;
  readonly context: MountContext;
}

/** Later requests use these mounts by descriptor, which no path and no later mount can change. */
function needsDescriptor({ type, destination }: OciMount): boolean {
  return type === "proc" || type === "devpts" || relative(destination) === "dev";
}

/** mount(2): one call, on the mount point's descriptor. */
function planClassicMount({
  mount,
  fstype,
  options,
  attributes,
  origin,
  context,
}: NewMount): MountPlan {
  const { slots } = context;
  const child = opMaker("child", origin);
  const flags = mountFlags(attributes) | options.superblock;
  const data = options.data.join(",");
  if (Buffer.byteLength(data) > 4095) {
    throw invalid(
      origin,
      `the options of the mount on "${mount.destination}" are longer than 4095 bytes`,
    );
  }
  return {
    host: [],
    child: [
      ...openTarget(child, slots, {
        path: mount.destination,
        kind: "directory",
        strict: isStrict(mount),
      }),
      child(
        {
          kind: "mount",
          source: mount.source ?? fstype,
          fstype,
          data,
          flags,
          at: slots.target,
          target: "",
        },
        hintFor(fstype),
      ),
      ...planPropagation(child, mount, options, slots),
      child(close(slots.target)),
    ],
  };
}

/** A new mount below a private root is private; anything else must be asked for once it is there. */
function planPropagation(
  child: OpMaker,
  mount: OciMount,
  { propagation }: MountOptions,
  slots: RootfsSlots,
): PlannedOp[] {
  if (!propagation || propagation.type === MS.PRIVATE) return [];
  const path = relative(mount.destination);
  return [
    child(openAt(slots.root, path, slots.scratch, resolveFlags(isStrict(mount)))),
    setPropagation(child, slots.scratch, propagation),
    child(close(slots.scratch)),
  ];
}

/** fsopen(2) to move_mount(2): the mount's own descriptor stays open. */
function planDescribedMount({
  mount,
  fstype,
  options,
  attributes,
  origin,
  context,
}: NewMount): MountPlan {
  const { slots } = context;
  const child = opMaker("child", origin);
  const mounted = slots.allocator.take();
  return {
    host: [],
    child: [
      ...planDetached(child, {
        fstype,
        source: mount.source ?? fstype,
        options,
        attributes,
        scratch: slots.scratch,
        out: mounted,
      }),
      ...openTarget(child, slots, {
        path: mount.destination,
        kind: "directory",
        strict: isStrict(mount),
      }),
      child(attach(mounted, slots.target)),
      ...(options.propagation && options.propagation.type !== MS.PRIVATE
        ? [setPropagation(child, mounted, options.propagation)]
        : []),
      child(close(slots.target)),
    ],
    mounted,
  };
}

/** A file system that is mounted nowhere yet. */
export function planDetached(
  child: OpMaker,
  request: {
    readonly fstype: string;
    readonly source: string;
    readonly options?: Pick<MountOptions, "data" | "superblock">;
    readonly attributes: number;
    readonly scratch: Slot;
    readonly out: Slot;
  },
): PlannedOp[] {
  const { fstype, source, options, attributes, scratch: fs, out } = request;
  const config = (command: number, key: string, value = "") =>
    child({ kind: "fsconfig", fs, command, key, value, valueSlot: SLOT_CWD }, hintFor(fstype));
  const superblock = Object.entries(SUPERBLOCK_KEYS).filter(
    ([, flag]) => ((options?.superblock ?? 0) & flag) !== 0,
  );
  return [
    child({ kind: "fsopen", fstype, out: fs }),
    config(FSCONFIG.SET_STRING, "source", source),
    ...superblock.map(([key]) => config(FSCONFIG.SET_FLAG, key)),
    ...(options?.data ?? []).map((option) => {
      const at = option.indexOf("=");
      return at === -1
        ? config(FSCONFIG.SET_FLAG, option)
        : config(FSCONFIG.SET_STRING, option.slice(0, at), option.slice(at + 1));
    }),
    config(FSCONFIG.CREATE, ""),
    child({ kind: "fsmount", fs, attributes, out }, hintFor(fstype)),
    child(close(fs)),
  ];
}

function hintFor(fstype: string): { hint?: string } {
  const hint = HINTS[fstype];
  return hint === undefined ? {} : { hint };
}

const HINTS: Readonly<Record<string, string>> = {
  proc: "In a user namespace a new proc needs the container's own PID namespace, and a host /proc without anything mounted over it.",
  sysfs: "A new sysfs needs the container's own network namespace.",
  devpts: "gid= must be a group of the container's user namespace.",
  tmpfs:
    "uid= and gid= must be ids of the container; size= is bytes, a number with k, m or g, or a percentage.",
  cgroup2: "A cgroup2 mount needs the container's own cgroup namespace.",
};

const LABELLED_TYPES = new Set(["tmpfs", "ramfs", "devpts", "mqueue"]);

function withLabel(
  fstype: string,
  options: MountOptions,
  { mountLabel, facts }: MountContext,
): MountOptions {
  if (mountLabel === "" || !facts.selinux || !LABELLED_TYPES.has(fstype)) return options;
  return { ...options, data: [...options.data, `context="${mountLabel}"`] };
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

/** Where a path is looked for among the mounts: "/dev" is in the mount on "/dev" or in the root's own. */
export function isBelow(path: string, directory: string): boolean {
  const [inner, outer] = [relative(path), relative(directory)];
  return inner === outer || inner.startsWith(`${outer}/`);
}

export function invalid(origin: string, what: string, hint?: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, {
    origin,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The name below a directory, e.g. "net/tun" for /dev/net/tun and /dev. */
export function below(path: string, directory: string): string {
  return posix.relative(`/${relative(directory)}`, `/${relative(path)}`);
}
