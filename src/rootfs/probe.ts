/** Looks at the host for planRootfs; changes nothing. */
import { closeSync, readFileSync, realpathSync, statSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { isInUserNamespace } from "../base/user-namespace.ts";
import { fsconfig, fsopen, KernelError, mountSetattr } from "../ffi/index.ts";
import type { OciDevice, OciSpec } from "../spec/index.ts";
import type { RootfsFacts, SourceKind } from "./facts.ts";
import { DEFAULT_DEVICES } from "./plan-devices.ts";

/** The part of the facts that a machine does not change while it is up. */
type KernelFacts = Omit<RootfsFacts, "sources" | "deviceNodes">;

let kernelFacts: KernelFacts | undefined;

/** What planRootfs must know to launch this specification. Throws SYSTEM if /proc cannot be read. */
export function readRootfsFacts(spec: Pick<OciSpec, "mounts" | "linux">): RootfsFacts {
  kernelFacts ??= readKernelFacts();
  return {
    ...kernelFacts,
    sources: readSources(spec.mounts),
    deviceNodes: readDeviceNodes(spec.linux.devices ?? []),
  };
}

function readKernelFacts(): KernelFacts {
  const cgroup2MountPoint = findCgroup2(readFileSync("/proc/self/mountinfo", "utf8"));
  return {
    mountSetattr: probeMountSetattr(),
    overlayLowerAppend: probeLowerAppend(),
    nullDeviceIsGenuine: isDevice("/dev/null", "c", 1, 3),
    mayMakeDevices: mayMakeDevices(),
    ...(cgroup2MountPoint === undefined ? {} : { cgroup2MountPoint }),
    selinux: exists("/sys/fs/selinux/enforce"),
  };
}

/** A change of nothing on no descriptor: EBADF where the call exists, ENOSYS where it does not. */
function probeMountSetattr(): boolean {
  try {
    mountSetattr({ dirFd: -1, path: "" }, {});
    return true;
  } catch (error) {
    // A mount_attr that changes nothing is success before the descriptor is looked at, on some kernels.
    if (error instanceof KernelError) return !hasErrno(error, "ENOSYS");
    throw error;
  }
}

/** Whether overlay knows "lowerdir+": asked of a context that is never mounted. */
function probeLowerAppend(): boolean {
  let fs: number;
  try {
    fs = fsopen("overlay");
  } catch (error) {
    if (error instanceof KernelError) return false; // no overlay at all, or no right to ask: planning goes on without
    throw error;
  }
  try {
    fsconfig(fs, { kind: "string", key: "lowerdir+", value: "/" });
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  } finally {
    closeSync(fs);
  }
}

const CAP_MKNOD = 27n;

/** mknod(2) of a device asks for CAP_MKNOD in the first user namespace. */
function mayMakeDevices(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const held = ((BigInt(`0x${effective ?? "0"}`) >> CAP_MKNOD) & 1n) === 1n;
  return held && !isInUserNamespace();
}

/** The first cgroup2 mount whose root is the hierarchy's own. proc_pid_mountinfo(5). */
export function findCgroup2(mountinfo: string): string | undefined {
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root, mountPoint] = left.split(" ");
    if (right.startsWith("cgroup2 ") && root === "/" && mountPoint !== undefined) {
      return mountPoint.replace(/\\([0-7]{3})/g, (_, octal) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
    }
  }
  return undefined;
}

function readSources(mounts: OciSpec["mounts"]): ReadonlyMap<string, SourceKind> {
  const sources = new Map<string, SourceKind>();
  for (const { source, type, options = [] } of mounts) {
    const bind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (bind && source !== undefined) sources.set(source, sourceKind(source));
  }
  return sources;
}

function sourceKind(path: string): SourceKind {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return "missing";
  return stat.isDirectory() ? "directory" : "file";
}

function readDeviceNodes(devices: readonly OciDevice[]): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>();
  for (const device of [...DEFAULT_DEVICES, ...devices]) {
    const node = findNode(device);
    if (node !== undefined) nodes.set(device.path, node);
  }
  return nodes;
}

/** The same path on the host, or udev's link by number. */
function findNode({ path, type, major, minor }: OciDevice): string | undefined {
  if (major === undefined || minor === undefined) return undefined;
  const kind = type === "b" ? "block" : "char";
  for (const candidate of [path, `/dev/${kind}/${major}:${minor}`]) {
    if (isDevice(candidate, type === "b" ? "b" : "c", major, minor)) return realpathSync(candidate);
  }
  return undefined;
}

function isDevice(path: string, type: "b" | "c", major: number, minor: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || !(type === "b" ? stat.isBlockDevice() : stat.isCharacterDevice())) return false;
  // Node gives st_rdev in glibc's encoding: gnu_dev_major(3).
  const dev = BigInt(stat.rdev);
  const foundMajor = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const foundMinor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return foundMajor === BigInt(major) && foundMinor === BigInt(minor);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
