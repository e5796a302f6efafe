/**
 * Processes that outlive the command that started them: a pid alone may be somebody else's by now,
 * a pid with its start time in one boot is not.
 */
import { readFileSync } from "node:fs";
import { hasErrno } from "./errors.ts";

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
function parseProcessStat(text: string): ProcessStat {
  const [state = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state, startTime: fields[18] ?? "" };
}
