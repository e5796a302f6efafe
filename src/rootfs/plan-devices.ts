/**
 * /dev: the device nodes that every container has (OCI config-linux.md, "Default Devices"), those that
 * were asked for, and the links and the console beside them.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import type { OciDevice } from "../spec/index.ts";
import type { RootfsFacts } from "./facts.ts";
import {
  AT_EMPTY_PATH,
  MS,
  O_CLOEXEC,
  OPEN_TREE_CLONE,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "./flags.ts";
import { invalid } from "./invalid.ts";
import { below, isBelow } from "./mount-places.ts";
import {
  attach,
  close,
  mountSetattr,
  openTarget,
  opMaker,
  type RootfsSlots,
  relative,
} from "./ops.ts";

/** These are in every container, whatever the specification lists. */
export const DEFAULT_DEVICES: readonly OciDevice[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 0o666 },
  { path: "/dev/full", type: "c", major: 1, minor: 7, fileMode: 0o666 },
  { path: "/dev/random", type: "c", major: 1, minor: 8, fileMode: 0o666 },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9, fileMode: 0o666 },
  { path: "/dev/tty", type: "c", major: 5, minor: 0, fileMode: 0o666 },
];

/** Link and target (config-linux.md, "Default Devices" and "Dev symbolic links" of runtime-linux.md). */
const LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
  ["ptmx", "pts/ptmx"],
];

export interface DevicePlanInput {
  readonly devices: readonly OciDevice[];
  /** The directory that is the container's /dev. */
  readonly devSlot: Slot;
  readonly slots: RootfsSlots;
  readonly userNamespace: boolean;
  readonly facts: RootfsFacts;
}

export interface DevicePlan {
  readonly host: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
}

/** Throws INVALID_SPEC for a device that cannot be, UNSUPPORTED for one that cannot be made here. */
export function planDevices(input: DevicePlanInput): DevicePlan {
  const listed = input.devices.map((device, index) => ({
    device,
    origin: `linux.devices[${index}]`,
  }));
  const defaults = DEFAULT_DEVICES.filter(
    ({ path }) => !input.devices.some((other) => relative(other.path) === relative(path)),
  ).map((device) => ({ device, origin: "linux.devices" }));
  // A user namespace has no right to make devices (mknod(2), EPERM): the host's nodes are bound instead.
  const bound = input.userNamespace || !input.facts.mayMakeDevices;
  const plans = [...defaults, ...listed].map(({ device, origin }) =>
    bound && device.type !== "p"
      ? planBoundDevice(device, origin, input)
      : planNode(device, origin, input),
  );
  return {
    host: plans.flatMap(({ host }) => host),
    child: [...plans.flatMap(({ child }) => child), ...planLinks(input.devSlot)],
  };
}

interface DevicePlace {
  readonly directory: Slot;
  /** Path below the directory. */
  readonly path: string;
}

function placeOf({ path }: OciDevice, origin: string, input: DevicePlanInput): DevicePlace {
  if (!path.startsWith("/") || relative(path) === "." || relative(path) === "dev") {
    throw invalid(origin, `"${path}" cannot be a device's path`);
  }
  if (isBelow(path, "/dev")) return { directory: input.devSlot, path: below(path, "/dev") };
  return { directory: input.slots.root, path: relative(path) };
}

const NODE_TYPES = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const;

function planNode(device: OciDevice, origin: string, input: DevicePlanInput): DevicePlan {
  const { directory, path } = placeOf(device, origin, input);
  const child = opMaker("child", origin);
  const parent = posix.dirname(path);
  const { uid = 0, gid = 0 } = device;
  const chown: PlannedOp[] =
    uid === 0 && gid === 0 ? [] : [child({ kind: "chown", name: path, dir: directory, uid, gid })];
  const mode = NODE_TYPES[device.type] | (device.fileMode ?? 0o666);
  const dev = deviceNumber(device, origin);
  const node = { name: path, dir: directory, mode, dev };
  return {
    host: [],
    child: [
      ...(parent === "."
        ? []
        : [child({ kind: "mkdirBelow", path: parent, root: directory, mode: 0o755 })]),
      // A /dev that came with the root may have it already; its owner is left alone as well.
      child({ kind: "mknod", ...node }, { tolerate: ["EEXIST"], skipOk: 1 }),
      child(
        { kind: "checkNode", ...node },
        {
          skipOk: chown.length,
          hint: `The image has something else at "${device.path}".`,
        },
      ),
      ...chown,
    ],
  };
}

/** dev_t in the encoding that mknod(2) takes: makedev(3), linux/kdev_t.h. */
function deviceNumber({ type, path, major, minor }: OciDevice, origin: string): bigint {
  if (type === "p") return 0n;
  const inRange = (value: number | undefined, max: number) =>
    value !== undefined && Number.isInteger(value) && value >= 0 && value <= max;
  if (!inRange(major, 0xfff) || !inRange(minor, 0xf_ffff)) {
    throw invalid(
      origin,
      `the device "${path}" needs a major number up to 4095 and a minor up to 1048575`,
    );
  }
  const [ma, mi] = [BigInt(major ?? 0), BigInt(minor ?? 0)];
  return (mi & 0xffn) | (ma << 8n) | ((mi & ~0xffn) << 12n);
}

/** The host's node on an empty file. Its mode and owner stay the host's. */
function planBoundDevice(device: OciDevice, origin: string, input: DevicePlanInput): DevicePlan {
  const { directory, path } = placeOf(device, origin, input);
  const { slots, facts } = input;
  const source = facts.deviceNodes.get(device.path);
  if (source === undefined) {
    throw new TsrunError(
      "UNSUPPORTED",
      `${origin}: the host has no node for the device "${device.path}", and none can be made in a user namespace`,
      { origin, hint: "Create the node on the host, or run without a user namespace." },
    );
  }
  const node = slots.allocator.take();
  const host = opMaker("host", origin);
  const child = opMaker("child", origin);
  const flags = OPEN_TREE_CLONE | O_CLOEXEC;
  return {
    host: [
      host({ kind: "openTree", path: source, dir: SLOT_CWD, flags, out: node }),
      host(mountSetattr(node, { propagation: MS.PRIVATE, recursive: false })),
    ],
    child: [
      ...openTarget(child, slots, { path, kind: "file", below: directory }),
      child(attach(node, slots.target)),
      child(close(slots.target)),
      child(close(node)),
    ],
  };
}

function planLinks(devSlot: Slot): PlannedOp[] {
  const child = opMaker("child", "linux.devices");
  return LINKS.map(([name, target]) =>
    child({ kind: "symlink", target, name, dir: devSlot }, { tolerate: ["EEXIST"] }),
  );
}

export interface ConsolePlan {
  /** Makes the file and opens it, before the root may become read-only. */
  readonly prepare: readonly PlannedOp[];
  /** Binds the terminal on it; `pty` is its slave. */
  readonly attach: (pty: Slot) => readonly PlannedOp[];
}

/** /dev/console is the container's terminal (config-linux.md, "Default Devices"). */
export function planConsole(devSlot: Slot, slots: RootfsSlots): ConsolePlan {
  const target = slots.allocator.take();
  const child = opMaker("child", "process.terminal");
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH;
  return {
    prepare: openTarget(child, slots, {
      path: "console",
      kind: "file",
      below: devSlot,
      strict: true, // a link of the image's would take the terminal elsewhere (CVE-2025-52565)
      out: target,
    }),
    attach: (pty) => [
      child({ kind: "openTree", path: "", dir: pty, flags, out: slots.scratch }),
      child(attach(slots.scratch, target)),
      child(close(slots.scratch)),
      child(close(target)),
    ],
  };
}

/** The root's own /dev, for a specification that mounts none. */
export function openDev(out: Slot, slots: RootfsSlots): PlannedOp[] {
  const child = opMaker("child", "linux.devices");
  return openTarget(child, slots, { path: "/dev", kind: "directory", strict: true, out });
}
