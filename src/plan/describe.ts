/**
 * One op as a phrase for people, fit to follow "cannot": `mount "proc" on "/proc"`.
 */
import { type Op, type OpKind, type OpOf, SLOT_CWD, type Slot } from "./ops.ts";
import type { SlotNames } from "./slot-names.ts";

/** What is in a slot, as the container would call it. */
type Names = (slot: Slot) => string;

type Phrases = { readonly [K in OpKind]: (op: OpOf<K>, names: Names) => string };

const PHRASES: Phrases = {
  mkdir: (op) => `create directory "${op.path}"`,
  rmdir: (op) => `remove directory "${op.path}"`,
  unlink: (op) => `remove "${op.path}"`,
  writeFile: (op) => `write ${writtenText(op.data)} to "${op.path}"`,
  writeProc: (op) => `write ${writtenText(op.data)} to "/proc/PID/${op.name}"`,
  open: (op) => `open "${op.path}"`,
  openat2: (op) => `open "${op.path}" below the root`,
  close: (op, names) => `close "${names(op.slot)}"`,
  setns: (op) => `join ${namespaceNames(op.flags)}`,
  unshare: (op) => `create ${namespaceNames(op.flags)}`,
  bpfProgLoad: (op) => `load a BPF program of ${op.instructions.length / 8} instructions`,
  bpfProgAttach: () => "attach the BPF program to the cgroup",
  mount: (op, names) => `mount ${mountText(op, names)}`,
  umount: (op) => `unmount "${op.path}"`,
  openTree: (op) => `clone the mount at "${op.path}"`,
  mountSetattr: (op, names) => `set the attributes of the mount "${names(op.slot)}"`,
  moveMount: (op, names) =>
    `attach the mount "${names(op.from)}" to "${op.to === SLOT_CWD ? op.target : names(op.to)}"`,
  fsopen: (op) => `open a file system of type "${op.fstype}"`,
  fsconfig: (op) => `set the mount option "${op.value === "" ? op.key : `${op.key}=${op.value}`}"`,
  fsmount: () => "create the configured mount",
  mkdirBelow: (op) => `create directory "${op.path}" below the root`,
  mknod: (op) => `create the device node "${op.name}"`,
  symlink: (op) => `create the symlink "${op.name}" to "${op.target}"`,
  chown: (op) => `give "${op.name}" to ${op.uid}:${op.gid}`,
  fchdir: (op, names) => `enter the directory "${names(op.slot)}"`,
  chdir: (op) => `change to directory "${op.path}"`,
  pivotRoot: (op) => `pivot the root to "${op.newRoot}"`,
  chroot: (op) => `change the root to "${op.path}"`,
  sethostname: (op) => `set the hostname to "${op.name}"`,
  setdomainname: (op) => `set the domain name to "${op.name}"`,
  linkUp: (op) => `bring up the network interface "${op.name}"`,
  prlimit: (op) => `set resource limit ${op.resource} to ${op.soft}:${op.hard}`,
  prctl: (op) => `set process attribute ${op.option} to ${op.arg2}`,
  setgroups: (op) => `set the supplementary groups to [${op.gids.join(", ")}]`,
  setresgid: (op) => `switch to group ${op.gid}`,
  setresuid: (op) => `switch to user ${op.uid}`,
  boundingSet: (op) => `reduce the capability bounding set to 0x${op.mask.toString(16)}`,
  capset: (op) => `set the capabilities to 0x${op.permitted.toString(16)}`,
  ambientSet: (op) => `set the ambient capabilities to 0x${op.mask.toString(16)}`,
  umask: (op) => `set the umask to 0${op.mask.toString(8)}`,
  personality: (op) => `set the personality to 0x${op.persona.toString(16)}`,
  schedSetaffinity: () => "set the CPU affinity",
  schedSetattr: () => "set the scheduling attributes",
  ioprioSet: () => "set the I/O priority",
  seccomp: (op) => `install the seccomp filter of ${op.filter.length / 8} instructions`,
  keyring: (op) => `join the session keyring "${op.name}"`,
  setsid: () => "start a session",
  openPty: () => "open a terminal",
  stdioPty: () => "make the terminal stdin, stdout and stderr",
  hold: () => "wait to be started",
  closeRange: (op) => `close all descriptors from ${op.first} on at exec`,
  init: () => "stay as a reaping PID 1",
  exec: (op) => `execute "${op.lists.argv.join(" ")}"`,
  fchown: (op) => `give descriptor ${op.fd} to ${op.uid}:${op.gid}`,
  proxy: () => "start the process that clones the container",
  awaitStart: () => "wait to be started, alone",
  findExec: () => "find the program",
  keepFds: (op) => `keep ${op.count} descriptors open`,
  setMempolicy: () => "set the memory policy",
  netlink: (op) =>
    op.netnsAt === -1
      ? `configure the network interface "${op.name}"`
      : `move the network interface "${op.name}" to the container`,
  sendListener: (op) => `send the seccomp listener to "${op.path}"`,
  checkFs: (op) => (op.is ? "trust the file system" : "use a place inside /proc"),
  checkNode: (op) => `use what is at "${op.name}" as the device`,
  checkCwd: () => "use a working directory outside the root",
  closeSlots: () => "close the descriptors of the launch",
};

/** `slots` are the names that hold when the op is carried out (slotNamesAt). */
export function describeOp(op: Op, slots: SlotNames): string {
  const names = (slot: Slot) => slots.of(slot).replace(/^ROOT(\/|$)/, "/");
  return (PHRASES[op.kind] as (op: Op, names: Names) => string)(op, names);
}

/** CLONE_NEW* flags, include/uapi/linux/sched.h. */
const NAMESPACE_FLAGS: Readonly<Record<string, number>> = {
  time: 0x0000_0080,
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};

function namespaceNames(flags: number): string {
  const names = Object.entries(NAMESPACE_FLAGS)
    .filter(([, flag]) => (flags & flag) !== 0)
    .map(([name]) => name);
  return `the ${names.join(", ")} namespace${names.length === 1 ? "" : "s"}`;
}

function mountText({ source, fstype, target, at }: OpOf<"mount">, names: Names): string {
  const where = at === SLOT_CWD || target !== "" ? target : names(at);
  return `${fstype === "" ? "" : `${fstype} `}"${source}" on "${where}"`;
}

function writtenText(data: string | Uint8Array): string {
  if (typeof data !== "string") return `${data.length} bytes`;
  return JSON.stringify(data.trimEnd());
}
