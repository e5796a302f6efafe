/**
 * Processes that libuv does not know: their pidfds, their end, and this process's own attributes.
 */
import { constants } from "node:os";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { KernelError } from "./kernel-error.ts";
import { libcFunction, syscall } from "./libc.ts";
import { waitReadable } from "./poll.ts";

/** How a child ended; the two cases are waitid(2)'s CLD_EXITED and CLD_KILLED/CLD_DUMPED. */
export type ChildEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: number; readonly coreDumped: boolean };

/** A signal by number or by name ("SIGTERM"). */
export type Signal = number | NodeJS.Signals;

const P_PID = 1;
const P_PIDFD = 3;
const WNOHANG = 0x1;
const WEXITED = 0x4;
const CLD_EXITED = 1;
const CLD_DUMPED = 3;
const SIGINFO_SIZE = 128;
/** Byte offsets inside siginfo_t as waitid fills it in, on 64-bit machines. */
const SIGINFO = { code: 8, pid: 16, status: 24 } as const;

/**
 * Reaps a child that has ended; undefined while it still runs. Never blocks.
 * Throws KernelError ECHILD if it is not our child, or reaped already.
 * waitid(2).
 */
export function reapChild(child: { pid: number } | { pidfd: number }): ChildEnd | undefined {
  const byPid = "pid" in child;
  const id = byPid ? child.pid : child.pidfd;
  const info = new DataView(new ArrayBuffer(SIGINFO_SIZE));
  const bytes = new Uint8Array(info.buffer);
  syscall("waitid", id, byPid ? P_PID : P_PIDFD, id, bytes, WEXITED | WNOHANG, 0);
  if (info.getInt32(SIGINFO.pid, true) === 0) return undefined;
  const code = info.getInt32(SIGINFO.code, true);
  const status = info.getInt32(SIGINFO.status, true);
  if (code === CLD_EXITED) return { kind: "exited", code: status };
  return { kind: "killed", signal: status, coreDumped: code === CLD_DUMPED };
}

/** Waits for a child's end on the event loop and reaps it. Rejects with ABORTED; the child lives on. */
export async function waitChild(pidfd: number, signal?: AbortSignal): Promise<ChildEnd> {
  for (;;) {
    const end = reapChild({ pidfd });
    if (end) return end;
    await waitReadable(pidfd, signal);
  }
}

/** Waits until the process of `pidfd` has ended, whoever its parent is. */
export async function waitProcessExit(pidfd: number, signal?: AbortSignal): Promise<void> {
  await waitReadable(pidfd, signal);
}

/** A descriptor that names this process for good, close-on-exec; ESRCH if there is none. pidfd_open(2). */
export function pidfdOpen(pid: number): number {
  return syscall("pidfd_open", pid, pid, 0);
}

/** pidfd_send_signal(2). Throws KernelError ESRCH if the process has ended. */
export function pidfdSendSignal(pidfd: number, signal: Signal): void {
  syscall("pidfd_send_signal", `pidfd ${pidfd}`, pidfd, signalNumber(signal), 0, 0);
}

/** A duplicate of another process's descriptor, close-on-exec; needs ptrace rights. pidfd_getfd(2). */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return syscall("pidfd_getfd", `pidfd ${pidfd}, fd ${fd}`, pidfd, fd, 0);
}

const SIG_UNBLOCK = 1;
/** glibc's and musl's sigset_t. */
const SIGSET_SIZE = 128;

/** For this thread, where Node handles signals. pthread_sigmask(3). */
export function unblockSignal(signal: Signal): void {
  const bit = signalNumber(signal) - 1;
  const set = new Uint8Array(SIGSET_SIZE);
  set[bit >> 3] = 1 << (bit & 7); // little-endian: byte by byte it is the same as in words
  const unblock = libcFunction("pthread_sigmask", "int", ["int", "void *", "void *"]);
  const errno = Number(unblock(SIG_UNBLOCK, set, null));
  if (errno !== 0) throw new KernelError("pthread_sigmask", errno, String(signal));
}

/** kill(2); a negative pid is a process group. Signal 0 only asks. */
export function kill(pid: number, signal: Signal): void {
  syscall("kill", pid, pid, signalNumber(signal));
}

/** False once the process is gone. A zombie still counts: it holds the pid. */
export function processExists(pid: number): boolean {
  try {
    kill(pid, 0);
    return true;
  } catch (error) {
    if (hasErrno(error, "EPERM")) return true; // it exists, and is somebody else's
    if (hasErrno(error, "ESRCH")) return false;
    throw error;
  }
}

export function signalNumber(signal: Signal): number {
  if (typeof signal === "number") return signal;
  const number = constants.signals[signal];
  if (number !== undefined) return number;
  throw new TsrunError("INVALID_ARGUMENT", `"${signal}" is not a signal`, {
    hint: "Name one as kill -l does, for example SIGTERM.",
  });
}

const PR_SET_DUMPABLE = 4;
const PR_GET_DUMPABLE = 3;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const PR_CAPBSET_READ = 23;
const PR_GET_NO_NEW_PRIVS = 39;

/** Orphans among our descendants become our children instead of init's. prctl(2) PR_SET_CHILD_SUBREAPER. */
export function setChildSubreaper(on: boolean): void {
  syscall("prctl", "PR_SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER, Number(on));
}

export function isChildSubreaper(): boolean {
  const answer = new Int32Array(1);
  const bytes = new Uint8Array(answer.buffer);
  syscall("prctl", "PR_GET_CHILD_SUBREAPER", PR_GET_CHILD_SUBREAPER, bytes);
  return answer[0] !== 0;
}

/** Whether others of the same user may look into this process (ptrace, /proc/PID/fd, core). */
export function setDumpable(on: boolean): void {
  syscall("prctl", "PR_SET_DUMPABLE", PR_SET_DUMPABLE, Number(on));
}

/** 0, 1, or 2 (readable by root only). */
export function dumpable(): number {
  return syscall("prctl", "PR_GET_DUMPABLE", PR_GET_DUMPABLE);
}

/** Whether the calling thread's bounding set holds this capability; EINVAL if the kernel has none such. */
export function boundingSetHas(capability: number): boolean {
  return syscall("prctl", "PR_CAPBSET_READ", PR_CAPBSET_READ, capability) === 1;
}

/** Whether the calling thread can gain no privileges by execve. prctl(2) PR_GET_NO_NEW_PRIVS. */
export function hasNoNewPrivileges(): boolean {
  return syscall("prctl", "PR_GET_NO_NEW_PRIVS", PR_GET_NO_NEW_PRIVS) === 1;
}

/** RLIM_INFINITY is 2^64-1. */
export interface Rlimit {
  readonly soft: bigint;
  readonly hard: bigint;
}

/** One limit (RLIMIT_*, by number) of a process, 0 for our own. prlimit(2). */
export function getRlimit(resource: number, pid = 0): Rlimit {
  const old = new BigUint64Array(2);
  const bytes = new Uint8Array(old.buffer);
  syscall("prlimit64", `resource ${resource}`, pid, resource, null, bytes);
  return { soft: old[0] ?? 0n, hard: old[1] ?? 0n };
}

/** EPERM: raising the hard limit needs CAP_SYS_RESOURCE. prlimit(2). */
export function setRlimit(resource: number, { soft, hard }: Rlimit, pid = 0): void {
  const value = new Uint8Array(BigUint64Array.of(soft, hard).buffer);
  syscall("prlimit64", `resource ${resource}`, pid, resource, value, null);
}

/** The numbers of the CPUs that a process may run on, 0 for our own. sched_getaffinity(2). */
export function getAffinity(pid = 0): readonly number[] {
  const mask = new Uint8Array(1024); // 8192 CPUs: the kernel's largest NR_CPUS
  const size = syscall("sched_getaffinity", pid, pid, mask.length, mask);
  const cpus: number[] = [];
  for (let cpu = 0; cpu < size * 8; cpu++) {
    if (((mask[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) cpus.push(cpu);
  }
  return cpus;
}
