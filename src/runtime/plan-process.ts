/**
 * From the assembled root to execve: who the process is and what it may do. The order is the point of
 * this file. Each step needs a privilege that a later one gives up:
 * limits (CAP_SYS_RESOURCE) → bounding set (CAP_SETPCAP) → seccomp without no_new_privs (CAP_SYS_ADMIN)
 * → groups and user (CAP_SETGID, CAP_SETUID) → capability sets → ambient → no_new_privs → seccomp.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import {
  type PlannedOp,
  type RelayPlan,
  SLOT_CWD,
  type Slot,
  type SlotAllocator,
} from "../plan/index.ts";
import { capabilityMask, RLIMIT_NUMBERS } from "../security/index.ts";
import type { OciProcess } from "../spec/index.ts";
import type { SeccompListener } from "./plan-listener.ts";
import { ioPriority, schedAttr } from "./plan-scheduling.ts";

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
  /** Hands out descriptors. */
  readonly slots: SlotAllocator;
  /** The container's root directory, below which the working directory is resolved. */
  readonly root: Slot;
  /** The filter of linux.seccomp, or undefined for none. */
  readonly seccomp?: CompiledSeccomp;
  /** Only with a filter that notifies. */
  readonly listener?: SeccompListener;
  /** Where the container's devpts is, for a terminal. */
  readonly devptsSlot?: Slot;
  /** Takes the terminal's slave. */
  readonly ptySlot?: Slot;
  /** Binds the slave on /dev/console; only a container's first process does. */
  readonly attachConsole?: (pty: Slot) => readonly PlannedOp[];
  /** A connected Unix socket that the terminal's master is sent into; the stage gets it without. */
  readonly consoleSlot?: Slot;
  /** Which of 0, 1 and 2 the process's user must be able to reopen: pipes of ours, or of the caller's. */
  readonly ownStdio: readonly number[];
  /** Stop before exec and wait to be released. */
  readonly hold: boolean;
  /** Then wait for the start, alone; FIFOs that are open for both ways. */
  readonly awaitStart?: { readonly start: Slot; readonly result: Slot };
  /** Slots that the program gets as descriptors 3, 4, … */
  readonly keepFds?: { readonly first: Slot; readonly count: number };
  /** A reaping PID 1 in front of the command. */
  readonly init: boolean;
  /** Name of a new session keyring; undefined keeps the caller's. */
  readonly keyring?: string;
  /** The file to execute, where the first argument does not say it. */
  readonly program?: string;
}

/** The child's last ops, in order, ending with exec. Origins are JSON paths below `process`. */
export function planProcess(process: OciProcess, options: ProcessPlanOptions): PlannedOp[] {
  const workdir = planWorkdir(process.cwd, options);
  // A listener is handed over while the stage is still there.
  const late = process.noNewPrivileges === true && options.listener === undefined;
  const early = process.noNewPrivileges === true && options.listener !== undefined;
  return [
    ...planTerminal(process, options),
    ...planResources(process),
    ...planKeyring(options),
    ...workdir.asRoot,
    ...planPrivileges(process, options),
    ...workdir.asUser,
    ...(early ? planSeccomp(options) : []),
    ...planDescriptors(options),
    ...planHolds(options),
    ...(late ? planSeccomp(options) : []),
    ...(options.init ? [child({ kind: "init" }, "init")] : []),
    child(
      {
        kind: "exec",
        lists: {
          argv: process.args,
          env: process.env,
          candidates: execCandidates(options.program ?? process.args[0] ?? "", process.env),
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

/** The supervisor's pipes. A closed stdin is the host's null device, which must never change hands. */
export function relayedStdio(
  relay: RelayPlan | undefined,
  { user }: OciProcess,
): readonly number[] {
  if (relay === undefined || user.uid === 0) return [];
  return relay.stdin === "closed" ? [1, 2] : [0, 1, 2];
}

/**
 * Entered as root, who may go where the user may not (`-w /root -u 1000`), and only if that is refused
 * as the user. Not by chdir(2): /proc/self/fd/N, a descriptor of the launch's, would lead out of the root
 * (CVE-2024-21626).
 */
function planWorkdir(
  cwd: string,
  { slots, root }: ProcessPlanOptions,
): { readonly asRoot: readonly PlannedOp[]; readonly asUser: readonly PlannedOp[] } {
  const origin = "process.cwd";
  const check = child({ kind: "checkCwd" }, origin);
  if (posix.normalize(cwd) === "/") {
    return { asRoot: [child({ kind: "chdir", path: "/" }, origin)], asUser: [check] };
  }
  const slot = slots.take();
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const opened = child(
    { kind: "openat2", path: `${cwd}/.`, dir: root, flags: O_PATH, mode: 0, resolve, out: slot },
    origin,
  );
  const enter = child({ kind: "fchdir", slot }, origin);
  const close = child({ kind: "close", slot }, origin);
  return {
    asRoot: [
      { ...opened, tolerate: ["EACCES"], skipFailed: 2 },
      { ...enter, tolerate: ["EACCES"], skipOk: 1 },
      close,
    ],
    // Nothing to close: it was refused to root.
    asUser: [{ ...close, tolerate: ["EBADF"], skipOk: 2 }, opened, enter, check],
  };
}

/** openat2(2) and open(2), the same on x86-64 and arm64. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const O_PATH = 0o10000000;

/**
 * From here on others may run (hooks) or say what is executed: no path like /proc/self/fd/N may lead to
 * what the launch has used.
 */
function planDescriptors({ keepFds, awaitStart }: ProcessPlanOptions): PlannedOp[] {
  const first = FIRST_PRIVATE_FD + (keepFds?.count ?? 0);
  const keep =
    keepFds && keepFds.count > 0 ? [child({ kind: "keepFds", ...keepFds }, "launch")] : [];
  const { start, result } = awaitStart ?? { start: SLOT_CWD, result: SLOT_CWD };
  return [
    ...keep,
    child({ kind: "closeSlots", keep: start, keepToo: result }, "launch"),
    child({ kind: "closeRange", first }, "launch"),
  ];
}

/** Who creates wants to be told at once what starting could only tell later: that there is no program. */
function planHolds({ hold, awaitStart }: ProcessPlanOptions): PlannedOp[] {
  return [
    ...(awaitStart ? [child({ kind: "findExec" }, "process.args")] : []),
    ...(hold ? [child({ kind: "hold" }, "launch")] : []),
    ...(awaitStart ? [child({ kind: "awaitStart", ...awaitStart }, "launch")] : []),
  ];
}

function planTerminal(process: OciProcess, options: ProcessPlanOptions): PlannedOp[] {
  const setsid = child({ kind: "setsid" }, "process.terminal");
  const { uid, gid } = process.user;
  if (!process.terminal || options.devptsSlot === undefined || options.ptySlot === undefined) {
    // The pipes belong to who made them, and a process may reopen /dev/stdout: without this it would
    // be refused (the pipe's inode has mode 0600).
    return [
      setsid,
      ...options.ownStdio.map((fd) => tolerated({ kind: "fchown", fd, uid, gid }, "process.user")),
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
        socket: options.consoleSlot ?? SLOT_CWD,
        message: options.consoleSlot === undefined ? "" : "/dev/ptmx",
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
          resource: rlimitNumber(limit.type, `process.rlimits[${index}].type`),
          soft: rlimitValue(limit.soft),
          hard: rlimitValue(limit.hard),
        },
        `process.rlimits[${index}]`,
      ),
    );
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
      ...planAmbient(caps),
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

/**
 * The kernel takes only what is permitted and inheritable as well, and runc's own example asks for more:
 * the rest is left out, and said.
 */
function planAmbient(caps: NonNullable<OciProcess["capabilities"]>): PlannedOp[] {
  const { ambient = [], permitted = [], inheritable = [] } = caps;
  const wanted = capabilityMask(ambient);
  const possible = wanted & capabilityMask(permitted) & capabilityMask(inheritable);
  const origin = "process.capabilities.ambient";
  const set = (mask: bigint) => child({ kind: "ambientSet", mask }, origin);
  if (possible === wanted) return [set(wanted)];
  const warning = "ambient capabilities that are not permitted and inheritable are left out";
  return [{ ...set(wanted), tolerate: ["EPERM"], warning, skipOk: 1 }, set(possible)];
}

function planSeccomp({ seccomp, listener, slots }: ProcessPlanOptions): PlannedOp[] {
  if (!seccomp) return [];
  const origin = "linux.seccomp";
  if (!listener) {
    const flags = seccomp.flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    return [child({ kind: "seccomp", filter: seccomp.filter, flags, listener: SLOT_CWD }, origin)];
  }
  const slot = slots.take();
  // One thread has nothing to synchronise, and the kernel refuses the two flags together.
  const flags = (seccomp.flags & ~SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return [
    child({ kind: "seccomp", filter: seccomp.filter, flags, listener: slot }, origin),
    {
      ...child({ kind: "sendListener", listener: slot, ...listener }, "linux.seccomp.listenerPath"),
      hint: "A seccomp agent must listen there, and the profile itself must allow sendmsg.",
    },
  ];
}

/** seccomp(2). The last means nothing without a listener, and the kernel refuses it then. */
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32;

function rlimitNumber(type: string, origin: string): number {
  if (Object.hasOwn(RLIMIT_NUMBERS, type)) {
    return RLIMIT_NUMBERS[type as keyof typeof RLIMIT_NUMBERS];
  }
  throw new TsrunError("INVALID_SPEC", `${origin}: there is no resource limit "${type}"`, {
    origin,
    hint: `The limits are ${Object.keys(RLIMIT_NUMBERS).join(", ")}.`,
  });
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
