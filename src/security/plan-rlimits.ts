/**
 * Which limits a container gets on a host that may not let us raise any: a hard limit goes up only
 * with CAP_SYS_RESOURCE, and RLIMIT_NOFILE never above fs.nr_open (setrlimit(2), EPERM in both cases).
 */
import { TsrunError } from "../base/errors.ts";
import type { OciRlimit } from "../spec/index.ts";
import { exceeds, isRlimitName, RLIMIT_NAMES, type RlimitName, UNLIMITED } from "./rlimits.ts";

export interface RlimitFacts {
  /** tsrun's own limits; -1 is none. */
  readonly current: Readonly<Record<RlimitName, { readonly soft: number; readonly hard: number }>>;
  /** CAP_SYS_RESOURCE is effective: hard limits may be raised. */
  readonly maySetAny: boolean;
  /** The container has a user namespace of its own: no capability in it raises a limit. */
  readonly inUserNamespace?: boolean;
  /** /proc/sys/fs/nr_open. */
  readonly nrOpen: number;
}

export interface RlimitPlan {
  /** What to set; a limit that is not here stays tsrun's own. */
  readonly rlimits: readonly OciRlimit[];
  /** Sentences about requests that hold only in part. */
  readonly warnings: readonly string[];
}

/** podman's default for open files and processes, taken as far as the host allows. */
const DEFAULT_LIMIT = 1_048_576;
const DEFAULTED = ["RLIMIT_NOFILE", "RLIMIT_NPROC"] as const;

/**
 * A requested hard limit that cannot be reached is lowered to the host's with a warning as long as
 * the soft limit, which is the one that acts, can be had; otherwise PERMISSION. Of one name that is
 * given twice the later counts. "host" keeps tsrun's own limits, also for the two defaults.
 */
export function planRlimits(
  requested: readonly (OciRlimit | "host")[],
  facts: RlimitFacts,
): RlimitPlan {
  const byName = new Map<RlimitName, OciRlimit>();
  for (const limit of defaults(requested.includes("host"), facts))
    byName.set(limit.name, limit.limit);
  const warnings: string[] = [];
  for (const request of requested) {
    if (request === "host") continue;
    const name = rlimitName(request.type);
    const { limit, warning } = planOne(name, inKernelTerms(request), facts);
    byName.set(name, limit);
    if (warning !== undefined) warnings.push(warning);
  }
  const rlimits = RLIMIT_NAMES.flatMap((name) => byName.get(name) ?? []);
  return { rlimits, warnings };
}

function defaults(host: boolean, facts: RlimitFacts): { name: RlimitName; limit: OciRlimit }[] {
  if (host) return [];
  return DEFAULTED.map((name) => {
    const ceiling = hardCeiling(name, facts);
    const value = exceeds(DEFAULT_LIMIT, ceiling) ? ceiling : DEFAULT_LIMIT;
    return { name, limit: { type: name, soft: value, hard: value } };
  });
}

/** The specification's ways of saying "no limit" are one: -1. */
function inKernelTerms({ type, soft, hard }: OciRlimit): OciRlimit {
  const value = (limit: number) => (limit >= 2 ** 63 ? UNLIMITED : limit);
  return { type, soft: value(soft), hard: value(hard) };
}

function planOne(
  name: RlimitName,
  { soft, hard }: OciRlimit,
  facts: RlimitFacts,
): { limit: OciRlimit; warning?: string } {
  assertInOrder(name, soft, hard);
  const ceiling = hardCeiling(name, facts);
  if (!exceeds(hard, ceiling)) return { limit: { type: name, soft, hard } };
  const flag = name.slice("RLIMIT_".length).toLowerCase();
  const { why, hint } = ceilingReason(name, ceiling, facts);
  if (!exceeds(soft, ceiling)) {
    return {
      limit: { type: name, soft, hard: ceiling },
      warning: `the hard limit "${flag}" is ${ceiling} instead of ${show(hard)}: ${why}`,
    };
  }
  throw new TsrunError("PERMISSION", `cannot set the limit "${flag}" to ${show(soft)}: ${why}`, {
    hint,
    errno: "EPERM",
    origin: "process.rlimits",
  });
}

function assertInOrder(name: RlimitName, soft: number, hard: number): void {
  if (isLimit(soft) && isLimit(hard) && !exceeds(soft, hard)) return;
  const limits = `${show(soft)}:${show(hard)}`;
  throw new TsrunError("INVALID_SPEC", `the limit "${name}" cannot be ${limits}`, {
    hint: "Soft and hard are whole numbers, -1 is no limit, and the soft one is not above the hard one.",
    origin: "process.rlimits",
  });
}

function isLimit(value: number): boolean {
  return Number.isInteger(value) && value >= UNLIMITED;
}

/** The highest hard limit that we may set. */
function hardCeiling(name: RlimitName, facts: RlimitFacts): number {
  if (!mayRaise(facts)) return facts.current[name].hard;
  return name === "RLIMIT_NOFILE" ? facts.nrOpen : UNLIMITED;
}

/** Limits are set by the container's own process, whose capabilities count in its user namespace only. */
function mayRaise({ maySetAny, inUserNamespace = false }: RlimitFacts): boolean {
  return maySetAny && !inUserNamespace;
}

function ceilingReason(
  name: RlimitName,
  ceiling: number,
  facts: RlimitFacts,
): { readonly why: string; readonly hint: string } {
  if (name === "RLIMIT_NOFILE" && mayRaise(facts)) {
    return {
      why: `fs.nr_open is ${ceiling}`,
      hint: `Ask for at most ${ceiling}, or raise fs.nr_open with sysctl(8).`,
    };
  }
  const own = `tsrun's own hard limit is ${ceiling}`;
  const raise = `Ask for at most ${ceiling}, or give tsrun a higher hard limit`;
  if (facts.inUserNamespace) {
    return { why: `${own} and no user namespace can raise it`, hint: `${raise}.` };
  }
  return { why: `${own} and it lacks CAP_SYS_RESOURCE`, hint: `${raise} or CAP_SYS_RESOURCE.` };
}

function rlimitName(type: string): RlimitName {
  if (isRlimitName(type)) return type;
  throw new TsrunError("INVALID_SPEC", `"${type}" is not a resource limit`, {
    hint: "Limits are named as in setrlimit(2), for example RLIMIT_NOFILE.",
    origin: "process.rlimits",
  });
}

function show(value: number): string {
  return value === UNLIMITED ? "unlimited" : String(value);
}
