/**
 * From the assembled root to execve: who the process is and what it may do. The order is the point of
 * this file. Each step needs a privilege that a later one gives up:
 * limits (CAP_SYS_RESOURCE) → bounding set (CAP_SETPCAP) → seccomp without no_new_privs (CAP_SYS_ADMIN)
 * → groups and user (CAP_SETGID, CAP_SETUID) → capability sets → ambient → no_new_privs → seccomp.
 */
import { posix } from "node:path";
import type { PlannedOp, Slot } from "../plan/index.ts";
import { SLOT_CWD } from "../plan/index.ts";
import { capabilityMask, RLIMIT_NUMBERS } from "../security/index.ts";
import type { OciProcess } from "../spec/index.ts";
import { cpuMask, ioPriority, schedAttr } from "./plan-scheduling.ts";

/** prctl(2) options. */
const PR_SET_KEEPCAPS = 8;
const PR_SET_NO_NEW_PRIVS = 38;

/** Descriptors from here on are closed on exec; 0, 1 and 2 are the container's stdio. */
const FIRST_PRIVATE_FD = 3;

/** A filter as the kernel takes it: struct sock_filter[], and SECCOMP_FILTER_FLAG_*. */
export interface CompiledSeccomp {
  readonly filter: Uint8Array;
  readonly flags: number;
}

export interface ProcessPlanOptions {
  /** The filter of linux.seccomp, or undefined for none. */
  readonly seccomp?: CompiledSeccomp;
  /** Where the container's devpts is, for a terminal. */
  readonly devptsSlot?: Slot;
  /** Takes the terminal's slave. */
  readonly ptySlot?: Slot;
  /** Binds the slave on /dev/console; only a container's first process does. */
  readonly attachConsole?: (pty: Slot) => readonly PlannedOp[];
  /** stdio are pipes of the supervisor's, which the process's user must be able to reopen. */
  readonly ownsStdio: boolean;
  /** Stop before exec and wait to be released. */
  readonly hold: boolean;
  /** A reaping PID 1 in front of the command. */
  readonly init: boolean;
  /** Name of a new session keyring; undefined keeps the caller's. */
  readonly keyring?: string;
}

/** The child's last ops, in order, ending with exec. Origins are JSON paths below `process`. */
export function planProcess(process: OciProcess, options: ProcessPlanOptions): PlannedOp[] {
  return [
    ...planTerminal(process, options),
    ...planResources(process),
    ...planKeyring(options),
    ...planPrivileges(process, options),
    child({ kind: "chdir", path: process.cwd }, "process.cwd"),
    child({ kind: "closeRange", first: FIRST_PRIVATE_FD }, "launch"),
    ...(options.hold ? [child({ kind: "hold" }, "launch")] : []),
    ...(process.noNewPrivileges ? planSeccomp(options) : []),
    ...(options.init ? [child({ kind: "init" }, "init")] : []),
    child(
      {
        kind: "exec",
        lists: {
          argv: process.args,
          env: process.env,
          candidates: execCandidates(process.args[0] ?? "", process.env),
        },
      },
      "process.args",
    ),
  ];
}

/**
 * The paths that execvp(3) would try: the argument itself if it names a directory, else each
 * directory of PATH. An empty PATH entry is the current directory.
 */
export function execCandidates(command: string, env: readonly string[]): string[] {
  if (command === "" || command.includes("/")) return [command];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length);
  const dirs = (path ?? DEFAULT_PATH).split(":");
  return [...new Set(dirs.map((dir) => (dir === "" ? `./${command}` : posix.join(dir, command))))];
}

/** _CS_PATH with the sbin directories, as every runtime sets it where an image does not. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function planTerminal(process: OciProcess, options: ProcessPlanOptions): PlannedOp[] {
  const setsid = child({ kind: "setsid" }, "process.terminal");
  const { uid, gid } = process.user;
  if (!process.terminal || options.devptsSlot === undefined || options.ptySlot === undefined) {
    // The pipes belong to the supervisor's user, and a process may reopen /dev/stdout: without this
    // it would be refused (the pipe's inode has mode 0600).
    const owners = options.ownsStdio && uid !== 0 ? [0, 1, 2] : [];
    return [
      setsid,
      ...owners.map((fd) => tolerated({ kind: "fchown", fd, uid, gid }, "process.user")),
    ];
  }
  const { height, width } = process.consoleSize ?? { height: 0, width: 0 };
  return [
    setsid,
    child(
      {
        kind: "openPty",
        devpts: options.devptsSlot,
        rows: height,
        cols: width,
        out: options.ptySlot,
      },
      "process.terminal",
    ),
    ...(options.attachConsole?.(options.ptySlot) ?? []),
    child({ kind: "stdioPty", slave: options.ptySlot }, "process.terminal"),
    tolerated({ kind: "fchown", fd: 0, uid, gid }, "process.user"),
  ];
}

function planResources(process: OciProcess): PlannedOp[] {
  const ops: PlannedOp[] = [];
  for (const [index, limit] of (process.rlimits ?? []).entries()) {
    ops.push(
      child(
        {
          kind: "prlimit",
          resource: rlimitNumber(limit.type),
          soft: rlimitValue(limit.soft),
          hard: rlimitValue(limit.hard),
        },
        `process.rlimits[${index}]`,
      ),
    );
  }
  const affinity = process.execCPUAffinity?.final ?? process.execCPUAffinity?.initial;
  if (affinity) {
    const op = { kind: "schedSetaffinity", mask: cpuMask(affinity) } as const;
    ops.push(child(op, "process.execCPUAffinity"));
  }
  if (process.scheduler) {
    const op = { kind: "schedSetattr", attr: schedAttr(process.scheduler) } as const;
    ops.push(child(op, "process.scheduler"));
  }
  if (process.ioPriority) {
    const op = { kind: "ioprioSet", ioprio: ioPriority(process.ioPriority) } as const;
    ops.push(child(op, "process.ioPriority"));
  }
  return ops;
}

function planKeyring({ keyring }: ProcessPlanOptions): PlannedOp[] {
  if (keyring === undefined) return [];
  // A kernel without keyrings has none to leak (ENOSYS); a full quota (EDQUOT) is an error.
  const op = child({ kind: "keyring", name: keyring }, "launch");
  return [{ ...op, tolerate: ["ENOSYS"] }];
}

function planPrivileges(process: OciProcess, options: ProcessPlanOptions): PlannedOp[] {
  const { user, capabilities: caps } = process;
  const ops: PlannedOp[] = [];
  if (user.umask !== undefined) {
    ops.push(child({ kind: "umask", mask: user.umask }, "process.user.umask"));
  }
  if (caps) {
    const mask = capabilityMask(caps.bounding ?? []);
    ops.push(child({ kind: "boundingSet", mask }, "process.capabilities.bounding"));
  }
  if (!process.noNewPrivileges) ops.push(...planSeccomp(options));
  ops.push(
    child({ kind: "prctl", option: PR_SET_KEEPCAPS, arg2: 1, arg3: 0, arg4: 0 }, "process.user"),
    child({ kind: "setgroups", gids: user.additionalGids ?? [] }, "process.user.additionalGids"),
    child({ kind: "setresgid", gid: user.gid }, "process.user.gid"),
    child({ kind: "setresuid", uid: user.uid }, "process.user.uid"),
  );
  if (caps) {
    const inheritable = capabilityMask(caps.inheritable ?? []);
    ops.push(
      child(
        {
          kind: "capset",
          effective: capabilityMask(caps.effective ?? []),
          permitted: capabilityMask(caps.permitted ?? []),
          inheritable,
        },
        "process.capabilities",
      ),
      child(
        { kind: "ambientSet", mask: capabilityMask(caps.ambient ?? []) },
        "process.capabilities.ambient",
      ),
    );
  }
  if (process.noNewPrivileges) {
    ops.push(
      child(
        { kind: "prctl", option: PR_SET_NO_NEW_PRIVS, arg2: 1, arg3: 0, arg4: 0 },
        "process.noNewPrivileges",
      ),
    );
  }
  return ops;
}

function planSeccomp({ seccomp }: ProcessPlanOptions): PlannedOp[] {
  if (!seccomp) return [];
  return [child({ kind: "seccomp", ...seccomp, listener: SLOT_CWD }, "linux.seccomp")];
}

function rlimitNumber(type: string): number {
  const number = RLIMIT_NUMBERS[type as keyof typeof RLIMIT_NUMBERS];
  if (number === undefined) throw new RangeError(`unknown resource limit "${type}"`);
  return number;
}

const RLIM_INFINITY = 2n ** 64n - 1n;

function rlimitValue(value: number): bigint {
  // 2^64-1 in JSON arrives as the double 2^64.
  return value < 0 || value >= 2 ** 63 ? RLIM_INFINITY : BigInt(value);
}

function child(op: PlannedOp["op"], origin: string): PlannedOp {
  return { op, phase: "child", origin };
}

function tolerated(op: PlannedOp["op"], origin: string): PlannedOp {
  return { ...child(op, origin), tolerate: ["EPERM", "EROFS"] };
}
