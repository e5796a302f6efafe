/** A new instance of a file system: by mount(2), or detached and with a descriptor of its own. */
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import type { OciMount } from "../spec/index.ts";
import { FSCONFIG, MS } from "./flags.ts";
import { invalid } from "./invalid.ts";
import type { MountContext, MountPlan } from "./mount-context.ts";
import { type MountOptions, merge, mountFlags, SUPERBLOCK_KEYS } from "./mount-options.ts";
import { isStrict } from "./mount-places.ts";
import {
  attach,
  close,
  type OpMaker,
  openAt,
  openTarget,
  opMaker,
  type RootfsSlots,
  relative,
  resolveFlags,
  setPropagation,
} from "./ops.ts";

export function planNewMount(
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
