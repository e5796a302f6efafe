/**
 * Processes that outlive the command that started them: a pid alone may be somebody else's by now,
 * a pid with its start time in one boot is not.
 */
import { closeSync, readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { pidfdOpen, waitProcessExit } from "../ffi/index.ts";

/** A process of this boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, as text: proc_pid_stat(5) field 22. */
  readonly startTime: string;
}

/** Field 22 of /proc/PID/stat, and field 3. proc_pid_stat(5). */
interface ProcessStat {
  readonly startTime: string;
  readonly state: string;
}

/** undefined if there is no such process. */
export function readProcessIdentity(pid: number): ProcessIdentity | undefined {
  const stat = readProcessStat(pid);
  return stat && { pid, startTime: stat.startTime };
}

/** Whether it still runs. A zombie does not: nothing of it but its exit status is left. */
export function isProcessAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== "Z";
}

function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** The command's name, in parentheses, may hold spaces and parentheses itself: fields count from its end. */
export function parseProcessStat(text: string): ProcessStat {
  const [state = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state, startTime: fields[18] ?? "" };
}

/**
 * A pidfd for exactly this process, or undefined if it has ended. The caller closes it.
 * The start time is read after the pidfd is open, so that a reuse in between cannot be missed.
 */
export function openProcess(identity: ProcessIdentity): number | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(identity.pid);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return undefined;
    throw error;
  }
  if (isProcessAlive(identity)) return pidfd;
  closeSync(pidfd);
  return undefined;
}

/** Waits until the process has ended. Rejects with ABORTED when the signal fires first. */
export async function waitForEnd(identity: ProcessIdentity, signal?: AbortSignal): Promise<void> {
  const pidfd = openProcess(identity);
  if (pidfd === undefined) return;
  try {
    await waitProcessExit(pidfd, signal);
  } finally {
    closeSync(pidfd);
  }
}
