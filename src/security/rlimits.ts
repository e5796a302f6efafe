/**
 * Resource limits by name: setrlimit(2).
 */
import { TsrunError } from "../base/errors.ts";

/** RLIMIT_*, include/uapi/asm-generic/resource.h. */
export const RLIMIT_NUMBERS = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;

export type RlimitName = keyof typeof RLIMIT_NUMBERS;

export const RLIMIT_NAMES = Object.keys(RLIMIT_NUMBERS) as readonly RlimitName[];

/** "RLIMIT_NOFILE" for "nofile". */
export function isRlimitName(name: string): name is RlimitName {
  return Object.hasOwn(RLIMIT_NUMBERS, name);
}

/** No limit, as OciRlimit has it here. */
export const UNLIMITED = -1;

/** True if `value` is above `limit`, where -1 is above every number. */
export function exceeds(value: number, limit: number): boolean {
  if (limit === UNLIMITED) return false;
  return value === UNLIMITED || value > limit;
}

/** The words of /proc/PID/limits, proc_pid_limits(5). */
const PROC_LABELS: Readonly<Record<RlimitName, string>> = {
  RLIMIT_CPU: "Max cpu time",
  RLIMIT_FSIZE: "Max file size",
  RLIMIT_DATA: "Max data size",
  RLIMIT_STACK: "Max stack size",
  RLIMIT_CORE: "Max core file size",
  RLIMIT_RSS: "Max resident set",
  RLIMIT_NPROC: "Max processes",
  RLIMIT_NOFILE: "Max open files",
  RLIMIT_MEMLOCK: "Max locked memory",
  RLIMIT_AS: "Max address space",
  RLIMIT_LOCKS: "Max file locks",
  RLIMIT_SIGPENDING: "Max pending signals",
  RLIMIT_MSGQUEUE: "Max msgqueue size",
  RLIMIT_NICE: "Max nice priority",
  RLIMIT_RTPRIO: "Max realtime priority",
  RLIMIT_RTTIME: "Max realtime timeout",
};

/** /proc/PID/limits as numbers; -1 is no limit. Throws SYSTEM if a limit is missing from it. */
export function parseProcLimits(
  text: string,
): Record<RlimitName, { readonly soft: number; readonly hard: number }> {
  const value = (word: string | undefined) => (word === "unlimited" ? UNLIMITED : Number(word));
  const entries = RLIMIT_NAMES.map((name) => {
    const line = new RegExp(`^${PROC_LABELS[name]} +(\\S+) +(\\S+)`, "m").exec(text);
    if (!line) throw new TsrunError("SYSTEM", `/proc/self/limits does not tell "${name}"`);
    return [name, { soft: value(line[1]), hard: value(line[2]) }] as const;
  });
  return Object.fromEntries(entries) as Record<RlimitName, { soft: number; hard: number }>;
}
