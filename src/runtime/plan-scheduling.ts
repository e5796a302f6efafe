/**
 * Scheduling attributes as the kernel's structures: CPU masks, struct sched_attr, I/O priorities.
 */
import { TsrunError } from "../base/errors.ts";
import type { PlannedOp } from "../plan/index.ts";
import type { OciLinux, OciScheduler } from "../spec/index.ts";

const MAX_CPUS = 8192;

/** Whoever runs the phase, and what it clones from then on. */
export function planAffinity(
  list: string | undefined,
  phase: "host" | "child",
  origin: string,
): PlannedOp[] {
  if (list === undefined || list === "") return [];
  const mask = cpuMask(list, origin);
  return [
    {
      op: { kind: "schedSetaffinity", mask },
      phase,
      origin,
      hint: "None of these CPUs is there, or in the cpuset of the cgroup.",
    },
  ];
}

/** A cpu list ("0-2,4") as sched_setaffinity(2) takes it: one bit a CPU, whole 64-bit words. */
function cpuMask(list: string, origin: string): Uint8Array {
  const cpus = list.split(",").flatMap((part) => cpuRange(part.trim(), list, origin));
  const mask = new Uint8Array((Math.floor(Math.max(...cpus) / 64) + 1) * 8);
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  return mask;
}

function cpuRange(part: string, list: string, origin: string): number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(part);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || last < first || last >= MAX_CPUS) {
    throw new TsrunError("INVALID_SPEC", `${origin}: "${list}" is not a list of CPUs`, {
      origin,
      hint: 'Write numbers and ranges, e.g. "0-2,4".',
    });
  }
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** include/uapi/linux/sched.h */
const SCHED_POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const SCHED_FLAGS: Readonly<Record<string, bigint>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01n,
  SCHED_FLAG_RECLAIM: 0x02n,
  SCHED_FLAG_DL_OVERRUN: 0x04n,
  SCHED_FLAG_KEEP_POLICY: 0x08n,
  SCHED_FLAG_KEEP_PARAMS: 0x10n,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20n,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40n,
};
const SCHED_ATTR_SIZE = 56;

/** struct sched_attr, sched_setattr(2). Throws INVALID_SPEC for a policy or flag that is not known. */
export function schedAttr(scheduler: OciScheduler): Uint8Array {
  const policy = lookUp(SCHED_POLICIES, scheduler.policy, "process.scheduler.policy");
  let flags = 0n;
  for (const name of scheduler.flags ?? []) {
    flags |= lookUp(SCHED_FLAGS, name, "process.scheduler.flags");
  }
  const view = new DataView(new ArrayBuffer(SCHED_ATTR_SIZE));
  view.setUint32(0, SCHED_ATTR_SIZE, true);
  view.setUint32(4, policy, true);
  view.setBigUint64(8, flags, true);
  view.setInt32(16, scheduler.nice ?? 0, true);
  view.setUint32(20, scheduler.priority ?? 0, true);
  view.setBigUint64(24, BigInt(scheduler.runtime ?? 0), true);
  view.setBigUint64(32, BigInt(scheduler.deadline ?? 0), true);
  view.setBigUint64(40, BigInt(scheduler.period ?? 0), true);
  return new Uint8Array(view.buffer);
}

const IOPRIO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};
const IOPRIO_CLASS_SHIFT = 13;

/** ioprio_set(2)'s value: class and level 0–7. */
export function ioPriority({ class: name, priority }: { class: string; priority: number }): number {
  const ioClass = lookUp(IOPRIO_CLASSES, name, "process.ioPriority.class");
  if (!Number.isInteger(priority) || priority < 0 || priority > 7) {
    throw unknown("process.ioPriority.priority", String(priority));
  }
  return (ioClass << IOPRIO_CLASS_SHIFT) | priority;
}

/** Not "constructor", which every object has. Throws INVALID_SPEC. */
function lookUp<T>(table: Readonly<Record<string, T>>, name: string, origin: string): T {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found === undefined) throw unknown(origin, name);
  return found;
}

function unknown(origin: string, value: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: the kernel knows no "${value}"`, { origin });
}

/** include/uapi/linux/personality.h */
const PERSONALITY_DOMAINS: Readonly<Record<string, number>> = { LINUX: 0x0000, LINUX32: 0x0008 };
const PERSONALITY_FLAGS: Readonly<Record<string, number>> = {
  UNAME26: 0x0020000,
  ADDR_NO_RANDOMIZE: 0x0040000,
  FDPIC_FUNCPTRS: 0x0080000,
  MMAP_PAGE_ZERO: 0x0100000,
  ADDR_COMPAT_LAYOUT: 0x0200000,
  READ_IMPLIES_EXEC: 0x0400000,
  ADDR_LIMIT_32BIT: 0x0800000,
  SHORT_INODE: 0x1000000,
  WHOLE_SECONDS: 0x2000000,
  STICKY_TIMEOUTS: 0x4000000,
  ADDR_LIMIT_3GB: 0x8000000,
};

/** personality(2)'s persona: a domain and flags. */
export function persona({
  domain,
  flags = [],
}: {
  domain: string;
  flags?: readonly string[];
}): number {
  const base = lookUp(PERSONALITY_DOMAINS, domain, "linux.personality.domain");
  return flags.reduce(
    (sum, name) => sum | lookUp(PERSONALITY_FLAGS, name, "linux.personality.flags"),
    base,
  );
}

export function planPersonality(personality: OciLinux["personality"]): PlannedOp[] {
  if (!personality) return [];
  return [
    {
      op: { kind: "personality", persona: persona(personality) },
      phase: "child",
      origin: "linux.personality",
    },
  ];
}
