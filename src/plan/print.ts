/**
 * A launch plan as text for people: one line per kernel request, in the order of the launch, with the
 * system call's own name, its operands with the kernel's names of flags, and the field it comes from.
 */
import type { Phase } from "./abi.ts";
import { type Op, type OpKind, type OpOf, SLOT_CWD } from "./ops.ts";
import type { LaunchPlan, PlannedOp } from "./plan.ts";
import { SlotNames } from "./slot-names.ts";

/**
 * Lines without colours; columns are aligned. Descriptors are called what they were opened for; paths
 * below the container's root begin with ROOT.
 */
export function printPlan(plan: LaunchPlan): string {
  const names = new SlotNames(plan);
  const rows: (readonly [phase: string, call: string, operands: string, origin: string])[] = [];
  const print = (phase: Phase) => {
    for (const planned of plan.ops) {
      if (planned.phase !== phase) continue;
      rows.push([phase, ...requestOf(planned, names), planned.origin]);
      names.learn(planned.op);
    }
  };
  print("host");
  rows.push(["host", "clone3", cloneOperands(plan, names), "linux.namespaces"]);
  print("parent");
  print("child");
  print("teardown");
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const [phaseWidth, callWidth] = [width(0), width(1)];
  return rows
    .map(
      ([phase, call, operands, origin]) =>
        `${phase.padEnd(phaseWidth)}  ${call.padEnd(callWidth)}  ${operands}  (${origin})\n`,
    )
    .join("")
    .replace(/0{64}/g, "ID"); // the container's id, which a plan does not have yet
}

function requestOf(
  { op, tolerate = [], skipOk = 0, skipFailed = 0 }: PlannedOp,
  names: SlotNames,
): readonly [call: string, operands: string] {
  const [call, operands] = (REQUESTS[op.kind] as (op: Op, names: SlotNames) => Request)(op, names);
  const may = tolerate.length > 0 ? `; ${tolerate.join(" or ")} is no failure` : "";
  const success = skipOk > 0 ? `; success skips ${skipOk}` : "";
  const failure = skipFailed > 0 ? `, skips ${skipFailed}` : "";
  return [call, `${operands}${may}${failure}${success}`];
}

/** The plan as plain data: 64-bit numbers and bytes become text, everything else is as it is. */
export function planToJson(plan: LaunchPlan): string {
  return JSON.stringify(plan, jsonValue, 2);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  return value;
}

function cloneOperands({ cloneFlags, cgroupSlot }: LaunchPlan, names: SlotNames): string {
  const flags = flagNames(cloneFlags, CLONE_FLAGS);
  return cgroupSlot === SLOT_CWD ? flags : `${flags}|CLONE_INTO_CGROUP ${names.of(cgroupSlot)}`;
}

type Request = readonly [call: string, operands: string];
type Requests = { readonly [K in OpKind]: (op: OpOf<K>, names: SlotNames) => Request };

const REQUESTS: Requests = {
  mkdir: (op) => ["mkdir", `${op.path} ${octal(op.mode)}`],
  rmdir: (op) => ["rmdir", op.path],
  unlink: (op) => ["unlink", op.path],
  writeFile: (op, names) => ["write", `${dataText(op.data)} → ${names.below(op.dir, op.path)}`],
  writeProc: (op) => ["write", `${dataText(op.data)} → /proc/CHILD/${op.name}`],
  open: (op, names) => ["open", `${names.below(op.dir, op.path)}`],
  openat2: (op, names) => ["openat2", `${names.below(op.dir, op.path)}`],
  close: (op, names) => ["close", names.of(op.slot)],
  setns: (op, names) => ["setns", `${names.of(op.slot)} ${flagNames(op.flags, CLONE_FLAGS)}`],
  unshare: (op) => ["unshare", flagNames(op.flags, CLONE_FLAGS)],
  bpfProgLoad: (op) => ["bpf", `BPF_PROG_LOAD ${op.instructions.length / 8} instructions`],
  bpfProgAttach: (op, names) => [
    "bpf",
    `BPF_PROG_ATTACH ${names.of(op.prog)} → ${names.of(op.target)}`,
  ],
  mount: (op, names) => ["mount", mountOperands(op, names)],
  umount: (op) => ["umount2", `${op.path} ${flagNames(op.flags, UMOUNT_FLAGS)}`],
  openTree: (op, names) => ["open_tree", `${names.below(op.dir, op.path)}`],
  mountSetattr: (op, names) => ["mount_setattr", setattrOperands(op, names)],
  moveMount: (op, names) => [
    "move_mount",
    `${names.of(op.from)} → ${op.to === SLOT_CWD ? op.target : names.of(op.to)}`,
  ],
  fsopen: (op) => ["fsopen", op.fstype],
  fsconfig: (op, names) => ["fsconfig", `${names.of(op.fs)} ${fsconfigText(op, names)}`],
  fsmount: (op, names) => [
    "fsmount",
    `${names.of(op.fs)} ${flagNames(op.attributes, MOUNT_ATTRIBUTES)}`,
  ],
  mkdirBelow: (op, names) => ["mkdirat", `${names.below(op.root, op.path)} ${octal(op.mode)}`],
  mknod: (op, names) => ["mknodat", `${names.below(op.dir, op.name)} ${deviceText(op)}`],
  symlink: (op, names) => ["symlinkat", `${names.below(op.dir, op.name)} → ${op.target}`],
  chown: (op, names) => ["fchownat", `${names.below(op.dir, op.name)} ${op.uid}:${op.gid}`],
  fchdir: (op, names) => ["fchdir", names.of(op.slot)],
  chdir: (op) => ["chdir", op.path],
  pivotRoot: (op) => ["pivot_root", `${op.newRoot} ${op.putOld}`],
  chroot: (op) => ["chroot", op.path],
  sethostname: (op) => ["sethostname", op.name],
  setdomainname: (op) => ["setdomainname", op.name],
  linkUp: (op) => ["ioctl", `SIOCSIFFLAGS ${op.name} IFF_UP`],
  prlimit: (op) => [
    "prlimit",
    `${RLIMITS[op.resource] ?? op.resource} ${rlimit(op.soft)}:${rlimit(op.hard)}`,
  ],
  prctl: (op) => ["prctl", `${PRCTLS[op.option] ?? op.option} ${op.arg2}`],
  setgroups: (op) => ["setgroups", op.gids.length === 0 ? "none" : op.gids.join(",")],
  setresgid: (op) => ["setresgid", `${op.gid}`],
  setresuid: (op) => ["setresuid", `${op.uid}`],
  boundingSet: (op) => ["prctl", `PR_CAPBSET_DROP all but ${capabilities(op.mask)}`],
  capset: (op) => [
    "capset",
    `effective ${capabilities(op.effective)} permitted ${capabilities(op.permitted)} inheritable ${capabilities(op.inheritable)}`,
  ],
  ambientSet: (op) => ["prctl", `PR_CAP_AMBIENT_RAISE ${capabilities(op.mask)}`],
  umask: (op) => ["umask", octal(op.mask)],
  personality: (op) => ["personality", `0x${op.persona.toString(16)}`],
  schedSetaffinity: (op) => ["sched_setaffinity", `cpus ${cpuNumbers(op.mask)}`],
  schedSetattr: (op) => ["sched_setattr", `${op.attr.length} bytes`],
  ioprioSet: (op) => ["ioprio_set", `class ${op.ioprio >> 13} priority ${op.ioprio & 0x1fff}`],
  seccomp: (op) => ["seccomp", `SECCOMP_SET_MODE_FILTER ${op.filter.length / 8} instructions`],
  keyring: (op) => ["keyctl", `KEYCTL_JOIN_SESSION_KEYRING ${op.name}`],
  setsid: () => ["setsid", ""],
  openPty: (op, names) => [
    "open",
    `${op.devpts === SLOT_CWD ? "/dev/pts" : names.of(op.devpts)}/ptmx ${op.cols}x${op.rows}${op.socket === SLOT_CWD ? "" : ` → ${names.of(op.socket)}`}`,
  ],
  stdioPty: (op, names) => ["dup3", `${names.of(op.slave)} → stdin, stdout, stderr`],
  hold: () => ["read", "until the start"],
  closeRange: (op) => ["close_range", `${op.first}… CLOSE_RANGE_CLOEXEC`],
  init: () => ["fork", "a reaping PID 1 stays in front"],
  exec: (op) => ["execve", execText(op)],
  fchown: (op) => ["fchown", `descriptor ${op.fd} ${op.uid}:${op.gid}`],
  proxy: () => ["fork", "a process that clones the container in the stage's place"],
  awaitStart: (op, names) => ["read", `${names.of(op.start)}, until the start`],
  findExec: () => ["faccessat", "the program, X_OK"],
  keepFds: (op, names) => ["dup2", `${op.count} from ${names.of(op.first)} on → 3, …`],
  setMempolicy: (op) => [
    "set_mempolicy",
    `0x${op.mode.toString(16)} nodes ${cpuNumbers(op.nodes) || "none"}`,
  ],
  netlink: (op, names) => ["sendmsg", netlinkText(op, names)],
  sendListener: (op, names) => ["sendmsg", `${names.of(op.listener)} → ${op.path}`],
  checkFs: (op, names) => [
    "fstatfs",
    `${names.of(op.slot)} must ${op.is ? "" : "not "}be 0x${op.magic.toString(16)}`,
  ],
  checkNode: (op, names) => [
    "fstatat",
    `${names.below(op.dir, op.name)} must be ${deviceText(op)}`,
  ],
  checkCwd: () => ["getcwd", "must be below the root"],
  closeSlots: () => ["close", "all of the launch's"],
};

function netlinkText({ message, name, netnsAt, netns }: OpOf<"netlink">, names: SlotNames): string {
  const type = new DataView(message.buffer, message.byteOffset).getUint16(4, true);
  const where = netns === SLOT_CWD ? "CHILD" : names.of(netns);
  return `${RTM[type] ?? type} ${name}${netnsAt === -1 ? "" : ` → ${where}`}`;
}

/** include/uapi/linux/rtnetlink.h */
const RTM: Readonly<Record<number, string>> = { 16: "RTM_NEWLINK", 20: "RTM_NEWADDR" };

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

/** Long data is a cgroup file or a map: its beginning tells what it is. */
function dataText(data: string | Uint8Array): string {
  if (typeof data !== "string") return `${data.length} bytes`;
  const text = JSON.stringify(data.trimEnd());
  return text.length > 60 ? `${text.slice(0, 56)}…"` : text;
}

function mountOperands(
  { source, fstype, data, flags, at, target }: OpOf<"mount">,
  names: SlotNames,
): string {
  const what = fstype === "" ? source : source === fstype ? fstype : `${fstype} ${source}`;
  const where = at === SLOT_CWD ? target : names.of(at);
  const options = [flagNames(flags, MOUNT_FLAGS), data].filter((text) => text !== "");
  return `${[what, ...(where === "" ? [] : ["→", where]), ...options].filter((text) => text !== "").join(" ")}`;
}

function setattrOperands(op: OpOf<"mountSetattr">, names: SlotNames): string {
  const words = [names.of(op.slot)];
  if ((op.flags & AT_RECURSIVE) !== 0) words.push("AT_RECURSIVE");
  if (op.attrSet !== 0) words.push(`+${flagNames(op.attrSet, MOUNT_ATTRIBUTES)}`);
  if (op.attrClr !== 0) words.push(`-${flagNames(op.attrClr, MOUNT_ATTRIBUTES)}`);
  if (op.propagation !== 0) words.push(flagNames(op.propagation, MOUNT_FLAGS));
  if (op.userns !== SLOT_CWD) words.push(`userns ${names.of(op.userns)}`);
  return words.join(" ");
}

const AT_RECURSIVE = 0x8000;

function fsconfigText({ key, value, valueSlot }: OpOf<"fsconfig">, names: SlotNames): string {
  if (valueSlot !== SLOT_CWD) return `${key}=${names.of(valueSlot)}`;
  return value === "" ? key || "create" : `${key}=${value}`;
}

/** makedev(3)'s encoding. */
function deviceText({ mode, dev }: Pick<OpOf<"mknod">, "mode" | "dev">): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  const type = TYPES[mode & 0o170000] ?? "?";
  return `${type} ${major}:${minor} ${octal(mode & 0o7777)}`;
}

const TYPES: Readonly<Record<number, string>> = {
  [0o020000]: "c",
  [0o060000]: "b",
  [0o010000]: "p",
};

function rlimit(value: bigint): string {
  return value === 0xffff_ffff_ffff_ffffn || value < 0n ? "infinity" : value.toString();
}

function capabilities(mask: bigint): string {
  return mask === 0n ? "none" : `0x${mask.toString(16)}`;
}

/** Words that a shell would need to quote are in JSON's quotes. */
function execText({ lists }: OpOf<"exec">): string {
  const words = lists.argv.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word),
  );
  const [first] = lists.candidates;
  const more =
    lists.candidates.length > 1 ? ` (searched in ${lists.candidates.length} places)` : "";
  const program = first === undefined || first === lists.argv[0] || more !== "" ? "" : `${first}: `;
  return `${program}${words.join(" ")}${more}`;
}

function cpuNumbers(mask: Uint8Array): string {
  const cpus: number[] = [];
  for (const [index, byte] of mask.entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) cpus.push(index * 8 + bit);
  }
  return cpus.join(",");
}

/** What no name is known of is left as a number. */
function flagNames(flags: number, names: Readonly<Record<string, number>>): string {
  const known = Object.entries(names).filter(([, flag]) => (flags & flag) === flag);
  const rest = known.reduce((left, [, flag]) => left & ~flag, flags) >>> 0;
  return [...known.map(([name]) => name), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join(
    "|",
  );
}

/** include/uapi/linux/sched.h */
const CLONE_FLAGS = {
  CLONE_NEWTIME: 0x80,
  CLONE_NEWNS: 0x2_0000,
  CLONE_NEWCGROUP: 0x200_0000,
  CLONE_NEWUTS: 0x400_0000,
  CLONE_NEWIPC: 0x800_0000,
  CLONE_NEWUSER: 0x1000_0000,
  CLONE_NEWPID: 0x2000_0000,
  CLONE_NEWNET: 0x4000_0000,
};

/** include/uapi/linux/mount.h */
const MOUNT_FLAGS = {
  MS_RDONLY: 1,
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOEXEC: 8,
  MS_SYNCHRONOUS: 16,
  MS_REMOUNT: 32,
  MS_MANDLOCK: 64,
  MS_DIRSYNC: 128,
  MS_NOSYMFOLLOW: 256,
  MS_NOATIME: 1024,
  MS_NODIRATIME: 2048,
  MS_BIND: 4096,
  MS_MOVE: 8192,
  MS_REC: 16384,
  MS_SILENT: 32768,
  MS_UNBINDABLE: 1 << 17,
  MS_PRIVATE: 1 << 18,
  MS_SLAVE: 1 << 19,
  MS_SHARED: 1 << 20,
  MS_RELATIME: 1 << 21,
  MS_STRICTATIME: 1 << 24,
  MS_LAZYTIME: 1 << 25,
};

const MOUNT_ATTRIBUTES = {
  MOUNT_ATTR_RDONLY: 0x1,
  MOUNT_ATTR_NOSUID: 0x2,
  MOUNT_ATTR_NODEV: 0x4,
  MOUNT_ATTR_NOEXEC: 0x8,
  MOUNT_ATTR_NOATIME: 0x10,
  MOUNT_ATTR_STRICTATIME: 0x20,
  MOUNT_ATTR_NODIRATIME: 0x80,
  MOUNT_ATTR_IDMAP: 0x10_0000,
  MOUNT_ATTR_NOSYMFOLLOW: 0x20_0000,
};

const UMOUNT_FLAGS = { MNT_FORCE: 1, MNT_DETACH: 2, MNT_EXPIRE: 4, UMOUNT_NOFOLLOW: 8 };

/** include/uapi/asm-generic/resource.h */
const RLIMITS: readonly string[] = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
];

/** include/uapi/linux/prctl.h */
const PRCTLS: Readonly<Record<number, string>> = {
  1: "PR_SET_PDEATHSIG",
  4: "PR_SET_DUMPABLE",
  8: "PR_SET_KEEPCAPS",
  15: "PR_SET_NAME",
  28: "PR_SET_SECUREBITS",
  36: "PR_SET_CHILD_SUBREAPER",
  38: "PR_SET_NO_NEW_PRIVS",
};
