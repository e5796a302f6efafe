/**
 * The container's "/" as a mount that nothing is attached to yet, or that is mounted in the child.
 *
 * Whatever needs the host's privileges happens in the host phase, on detached mounts (open_tree(2)
 * OPEN_TREE_CLONE, fsmount(2)): they are in no namespace, so nothing ever appears on the host, and a
 * child without privileges outside its user namespace can still attach them.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import {
  type OciIdMapping,
  type OverlayRoot,
  overlayMountData,
  overlayParameters,
  type RootMount,
} from "../spec/index.ts";
import type { RootfsFacts } from "./facts.ts";
import {
  AT_RECURSIVE,
  CLONE_NEWNS,
  FSCONFIG,
  MOUNT_ATTR,
  MS,
  O_CLOEXEC,
  O_PATH,
  OPEN_TREE_CLONE,
} from "./flags.ts";
import type { IdMaps } from "./id-maps.ts";
import { close, mountSetattr, type OpMaker, opMaker, type RootfsSlots } from "./ops.ts";
import { mountCarrier, moveCarrier } from "./plan-carrier.ts";

export interface RootPlanInput {
  readonly root: RootMount;
  readonly mountPoint: string;
  readonly userNamespace: boolean;
  /** The user namespace that has the container's maps, for idMapped roots. */
  readonly idMapSlot: Slot | undefined;
  /** The container's maps, as far as they are known. */
  readonly idMaps: IdMaps | undefined;
  /** The stage has asked for SIGKILL when its caller dies. */
  readonly dieWithParent: boolean;
  /** What the host mounts below a root directory appears in the container (rootfsPropagation "slave"). */
  readonly receives: boolean;
  /** SELinux label for context=, or "". */
  readonly mountLabel: string;
  readonly facts: RootfsFacts;
  readonly slots: RootfsSlots;
}

export interface RootPlan {
  readonly host: readonly PlannedOp[];
  /** Attaches the root on the mount point. Afterwards `slots.root` is open. */
  readonly child: readonly PlannedOp[];
}

/** mount(2) takes a page of options, terminator included. */
const MAX_MOUNT_DATA = 4095;
const ORIGIN = "root.path";

export function planRoot(input: RootPlanInput): RootPlan {
  const { root } = input;
  if (root.kind === "bind") return planBindRoot(root.path, root.idMapped === true, 0, input);
  const [only] = root.lower;
  if (only === undefined) {
    throw new TsrunError("INVALID_SPEC", "an overlay needs at least one layer", { origin: ORIGIN });
  }
  // A lone layer without an upper is no overlay for the kernel (EINVAL): it is read-only as it is.
  if (root.lower.length === 1 && !root.upper) {
    return planBindRoot(only, root.idMapped, MOUNT_ATTR.RDONLY, input);
  }
  const labelled = withLabel(root, input.mountLabel);
  if (root.idMapped) return planIdMappedOverlay(labelled, input);
  const data = overlayMountData(labelled);
  if (!input.userNamespace && Buffer.byteLength(data) <= MAX_MOUNT_DATA) {
    return planClassicOverlay(labelled, data, input);
  }
  return planDetachedOverlay(labelled, input);
}

function withLabel(root: OverlayRoot, label: string): OverlayRoot {
  return label === "" ? root : { ...root, options: [...root.options, `context=${label}`] };
}

function planBindRoot(
  path: string,
  idMapped: boolean,
  attrSet: number,
  input: RootPlanInput,
): RootPlan {
  const { slots } = input;
  const host = opMaker("host", ORIGIN);
  const flags = OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC;
  return {
    host: [
      host({ kind: "openTree", path, dir: SLOT_CWD, flags, out: slots.root }),
      // A copy of a shared mount is its peer: what the container mounted would appear on the host.
      host(
        mountSetattr(slots.root, {
          propagation: input.receives ? MS.SLAVE : MS.PRIVATE,
          recursive: true,
        }),
      ),
      ...(attrSet === 0 ? [] : [host(mountSetattr(slots.root, { attrSet, recursive: false }))]),
      ...(idMapped ? [idMap(host, slots.root, requireIdMap(input), path)] : []),
    ],
    child: [opMaker("child", ORIGIN)(attachHere(slots.root))],
  };
}

/** One mount(2): the fastest way, where the options fit and the child has the host's privileges. */
function planClassicOverlay(
  { carrier }: OverlayRoot,
  data: string,
  { mountPoint, slots }: RootPlanInput,
): RootPlan {
  const child = opMaker("child", ORIGIN);
  return {
    host: [],
    child: [
      // The overlay may lie on top of what carries its upper: it keeps a mount of its own of that.
      ...(carrier ? mountCarrier(child, carrier, CARRIER_HINT) : []),
      child(
        {
          kind: "mount",
          source: "overlay",
          fstype: "overlay",
          data,
          flags: 0,
          at: SLOT_CWD,
          target: mountPoint,
        },
        { hint: OVERLAY_HINT },
      ),
      child({
        kind: "open",
        path: mountPoint,
        dir: SLOT_CWD,
        flags: O_PATH | O_CLOEXEC,
        out: slots.root,
      }),
    ],
  };
}

const OVERLAY_HINT =
  "The kernel's log (dmesg) says why it refused the overlay; layers and upper must be on file systems that can carry one.";

const CARRIER_HINT = "The kernel's log (dmesg) says why it refused the container's writable layer.";

/** Layer by layer, in the host phase: many layers, or a child whose user namespace could not mount it. */
function planDetachedOverlay(root: OverlayRoot, input: RootPlanInput): RootPlan {
  const host = opMaker("host", ORIGIN);
  const mounted = mountOverlay(host, root, input);
  return {
    host: root.carrier
      ? inPassingNamespace(host, input.slots, [
          ...mountCarrier(host, root.carrier, CARRIER_HINT),
          ...mounted,
        ])
      : mounted,
    child: [opMaker("child", ORIGIN)(attachHere(input.slots.root))],
  };
}

/**
 * The ops in a mount namespace that is there for them alone. A detached mount that they make stays, the
 * namespace with everything else in it is gone before the child exists.
 */
function inPassingNamespace(
  host: OpMaker,
  slots: RootfsSlots,
  ops: readonly PlannedOp[],
): PlannedOp[] {
  const ownNamespace = slots.allocator.take();
  return [
    host({
      kind: "open",
      path: "/proc/self/ns/mnt",
      dir: SLOT_CWD,
      flags: O_CLOEXEC,
      out: ownNamespace,
    }),
    host({ kind: "unshare", flags: CLONE_NEWNS }),
    host(mountPath("", "", MS.REC | MS.SLAVE, "/")),
    ...ops,
    // It also moves root and working directory to the namespace's root. That root was ours before: a
    // process in a chroot could not make the container's user namespace (user_namespaces(7), EPERM).
    host({ kind: "setns", slot: ownNamespace, flags: CLONE_NEWNS }),
    host(close(ownNamespace)),
  ];
}

function mountOverlay(host: OpMaker, root: OverlayRoot, input: RootPlanInput): PlannedOp[] {
  const { slots, facts } = input;
  assertLayersFit(root, facts);
  const fs = slots.scratch;
  const config = (command: number, key: string, value: string) =>
    host(
      { kind: "fsconfig", fs, command, key, value, valueSlot: SLOT_CWD },
      { hint: OVERLAY_HINT },
    );
  return [
    host(
      { kind: "fsopen", fstype: "overlay", out: fs },
      { hint: "Load the module: modprobe overlay." },
    ),
    config(FSCONFIG.SET_STRING, "source", "overlay"),
    ...overlayParameters(root, { append: facts.overlayLowerAppend }).map(({ key, value }) =>
      value === undefined
        ? config(FSCONFIG.SET_FLAG, key, "")
        : config(FSCONFIG.SET_STRING, key, value),
    ),
    config(FSCONFIG.CREATE, "", ""),
    host({ kind: "fsmount", fs, attributes: 0, out: slots.root }),
    host(close(fs)),
  ];
}

/** fsconfig(2) takes strings of at most 255 bytes, so one "lowerdir" holds but a few layers. */
const MAX_FSCONFIG_STRING = 255;

function assertLayersFit(root: OverlayRoot, { overlayLowerAppend }: RootfsFacts): void {
  const tooLong = overlayParameters(root, { append: overlayLowerAppend }).find(
    ({ value = "" }) => Buffer.byteLength(value) > MAX_FSCONFIG_STRING,
  );
  if (!tooLong) return;
  const what = tooLong.key === "lowerdir" ? `${root.lower.length} layers` : `"${tooLong.value}"`;
  throw new TsrunError("OVERLAY_UNSUPPORTED", `${what} do not fit into an overlay's options`, {
    origin: ORIGIN,
    hint: overlayLowerAppend
      ? "Use a data directory with a shorter path (--root)."
      : "Use Linux 6.7 or later, fewer layers, or no user namespace.",
  });
}

/**
 * Layers whose files belong to host ids 0… are seen through the container's id map: each is copied as
 * a detached, id-mapped mount. overlayfs wants its layers attached to the caller's namespace (only
 * Linux 6.15 and later take detached ones), so the stage makes a namespace for this moment, attaches
 * them there on a tmpfs, mounts the overlay, which keeps copies of its own, and goes back. The overlay
 * itself stays detached, and the namespace with everything in it is gone before the child exists.
 *
 * The overlay works with the ids and privileges of whoever mounts it. Host root has no id in the upper's
 * map, so that its work directory would fail with EOVERFLOW: the stage becomes the container's root
 * meanwhile and keeps its capabilities (SECBIT_NO_SETUID_FIXUP).
 */
function planIdMappedOverlay(asked: OverlayRoot, input: RootPlanInput): RootPlan {
  const { mountPoint, slots } = input;
  const host = opMaker("host", ORIGIN);
  const idMapSlot = requireIdMap(input);
  const root = asked.carrier ? moveCarrier(asked, asked.carrier, `${mountPoint}/carrier`) : asked;
  const layers = stageLayers(root, mountPoint);
  const [uid, gid] = [hostRoot(input.idMaps?.uids), hostRoot(input.idMaps?.gids)];
  return {
    host: inPassingNamespace(host, slots, [
      host(mountPath("tmpfs", "tmpfs", MS.NOSUID | MS.NODEV, mountPoint, "mode=755,size=1m")),
      ...(root.carrier
        ? [
            host({ kind: "mkdir", path: root.carrier.at, mode: 0o755 }),
            ...mountCarrier(host, root.carrier, CARRIER_HINT),
          ]
        : []),
      ...layers.trees.flatMap(({ source, target }) => [
        host({
          kind: "openTree",
          path: source,
          dir: SLOT_CWD,
          flags: OPEN_TREE_CLONE | O_CLOEXEC,
          out: slots.scratch,
        }),
        idMap(host, slots.scratch, idMapSlot, source),
        host({ kind: "mkdir", path: target, mode: 0o755 }),
        host({ kind: "moveMount", from: slots.scratch, to: SLOT_CWD, target }),
        host(close(slots.scratch)),
      ]),
      host(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)),
      host({ kind: "setresgid", gid }),
      host({ kind: "setresuid", uid }),
      ...mountOverlay(host, layers.root, input),
      host({ kind: "setresuid", uid: 0 }),
      host({ kind: "setresgid", gid: 0 }),
      host(prctl(PR_SET_SECUREBITS, 0)),
      // A change of credentials took it back (prctl(2), PR_SET_PDEATHSIG).
      ...(input.dieWithParent ? [host(prctl(PR_SET_PDEATHSIG, SIGKILL))] : []),
    ]),
    child: [opMaker("child", ORIGIN)(attachHere(slots.root))],
  };
}

const PR_SET_PDEATHSIG = 1;
const PR_SET_SECUREBITS = 28;
const SECBIT_NO_SETUID_FIXUP = 1 << 2;
const SIGKILL = 9;

function prctl(option: number, arg2: number): PlannedOp["op"] {
  return { kind: "prctl", option, arg2, arg3: 0, arg4: 0 };
}

interface StagedLayers {
  readonly trees: readonly { readonly source: string; readonly target: string }[];
  /** The overlay with the paths at which its layers are attached. */
  readonly root: OverlayRoot;
}

/**
 * Where each layer is attached meanwhile. Upper and work must be in the same mount (overlayfs.rst), so
 * the directory that holds both is copied as one.
 */
function stageLayers(root: OverlayRoot, mountPoint: string): StagedLayers {
  const lower = root.lower.map((source, index) => ({ source, target: `${mountPoint}/${index}` }));
  const paths = lower.map(({ target }) => target);
  if (!root.upper) return { trees: lower, root: { ...root, lower: paths } };
  const { dir, work } = root.upper;
  const source = commonParent(dir, work);
  const target = `${mountPoint}/upper`;
  const moved = (path: string) => posix.join(target, posix.relative(source, path));
  return {
    trees: [...lower, { source, target }],
    root: { ...root, lower: paths, upper: { dir: moved(dir), work: moved(work) } },
  };
}

function commonParent(a: string, b: string): string {
  let parent = posix.dirname(a);
  while (parent !== "/" && !b.startsWith(`${parent}/`)) parent = posix.dirname(parent);
  return parent;
}

function idMap(host: OpMaker, slot: Slot, userns: Slot, path: string): PlannedOp {
  return host(mountSetattr(slot, { attrSet: MOUNT_ATTR.IDMAP, recursive: false, userns }), {
    hint: `The file system of "${path}" must support id-mapped mounts (ext4, xfs, btrfs; tmpfs since Linux 6.3).`,
  });
}

function requireIdMap({ idMapSlot }: RootPlanInput): Slot {
  if (idMapSlot !== undefined) return idMapSlot;
  throw new TsrunError("INVALID_SPEC", "an id-mapped root needs the container's user namespace", {
    origin: ORIGIN,
  });
}

/** The host's id of the container's root, or of its first id where 0 is not mapped. */
function hostRoot(maps: readonly OciIdMapping[] = []): number {
  const map = maps.find(({ containerID }) => containerID === 0) ?? maps[0];
  return map?.hostID ?? 0;
}

function mountPath(
  source: string,
  fstype: string,
  flags: number,
  target: string,
  data = "",
): PlannedOp["op"] {
  return { kind: "mount", source, fstype, data, flags, at: SLOT_CWD, target };
}

/** The child's working directory is the mount point (see plan.ts). */
function attachHere(slot: Slot): PlannedOp["op"] {
  return { kind: "moveMount", from: slot, to: SLOT_CWD, target: "." };
}
