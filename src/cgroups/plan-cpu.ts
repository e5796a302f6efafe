import { parseCpuList } from "../base/cpu-list.ts";
import type { OciCpu } from "../spec/index.ts";
import { type CgroupWrite, type CurrentLimits, invalidLimit, onlyInV1 } from "./write.ts";

const ORIGIN = "linux.resources.cpu";

/** Microseconds; cgroup-v2.rst, "cpu.max": the kernel takes periods from 1 ms to 1 s, quotas from 1 ms. */
const PERIOD_MICROS = { min: 1000, max: 1_000_000 } as const;
const QUOTA_MIN_MICROS = 1000;

/** What CPUs and memory nodes there are, as lists; undefined where that is not known. */
export interface CpusetFacts {
  readonly cpus?: string | undefined;
  readonly mems?: string | undefined;
}

/**
 * CPU limits: weight, bandwidth, burst, idle class and affinity. Zero is "not set".
 * Throws INVALID_SPEC, or UNSUPPORTED for real-time limits, which cgroup v2 does not have.
 * OCI config-linux.md, "CPU"; cgroup-v2.rst, "CPU Interface Files", "Cpuset Interface Files".
 */
export function planCpu(
  cpu: OciCpu,
  facts: CpusetFacts = {},
  current: CurrentLimits = {},
): readonly CgroupWrite[] {
  for (const field of ["realtimeRuntime", "realtimePeriod"] as const) {
    if (cpu[field]) {
      throw onlyInV1(`${ORIGIN}.${field}`, "Use process.scheduler for real-time processes.");
    }
  }
  return [
    ...planWeight(cpu),
    ...planBandwidth(cpu, current),
    ...planCpuset("cpus", cpu.cpus, facts.cpus),
    ...planCpuset("mems", cpu.mems, facts.mems),
  ];
}

/**
 * cgroup v1's shares (2 to 262144, default 1024) as cgroup v2's weight (1 to 10000, default 100):
 * the quadratic curve through log10 that maps both ends and both defaults to each other. It is
 * what runc 1.3 and crun 1.23 use; the linear one of before made 39 of the default.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

function planWeight({ shares = 0, idle }: OciCpu): readonly CgroupWrite[] {
  if (shares < 0 || !Number.isInteger(shares)) {
    throw invalidLimit(`${ORIGIN}.shares`, `${shares} is no number of shares`);
  }
  if (idle !== undefined && idle !== 0 && idle !== 1) {
    throw invalidLimit(`${ORIGIN}.idle`, `${idle} is neither 0 nor 1`);
  }
  const weights: CgroupWrite[] =
    shares === 0
      ? []
      : [
          {
            file: "cpu.weight",
            value: String(cpuWeight(shares)),
            controller: "cpu",
            origin: `${ORIGIN}.shares`,
            hint: "EINVAL: an idle cgroup (cpu.idle 1) has no weight.",
          },
        ];
  if (idle === undefined) return weights;
  const write: CgroupWrite = {
    file: "cpu.idle",
    value: String(idle),
    controller: "cpu",
    origin: `${ORIGIN}.idle`,
  };
  // The kernel refuses a weight while the cgroup is idle: set it before that, or after.
  return idle === 1 ? [...weights, write] : [write, ...weights];
}

function planBandwidth(
  { quota = 0, period = 0, burst }: OciCpu,
  current: CurrentLimits,
): readonly CgroupWrite[] {
  const bandwidth: CgroupWrite[] =
    quota === 0 && period === 0
      ? []
      : [
          {
            file: "cpu.max",
            value: cpuMax({ quota, period }, current.cpuQuota),
            controller: "cpu",
            origin: quota === 0 ? `${ORIGIN}.period` : `${ORIGIN}.quota`,
            hint: "EINVAL: the burst (cpu.max.burst) must not be larger than the quota.",
          },
        ];
  if (burst === undefined) return bandwidth;
  const write = planBurst(burst);
  // At no moment may the burst be larger than the quota.
  return burst < (current.cpuBurstMicros ?? 0) ? [write, ...bandwidth] : [...bandwidth, write];
}

function planBurst(burst: number): CgroupWrite {
  const origin = `${ORIGIN}.burst`;
  if (burst < 0 || !Number.isInteger(burst)) throw invalidLimit(origin, `${burst} is no burst`);
  return {
    file: "cpu.max.burst",
    value: String(burst),
    controller: "cpu",
    origin,
    // Before Linux 5.14 there is no burst, so none is what there is.
    ...(burst === 0 ? { tolerate: ["ENOENT"] as const } : {}),
    hint: "EINVAL: the burst must not be larger than the quota. ENOENT: it needs Linux 5.14.",
  };
}

/**
 * CPU bandwidth as `cpu.max` wants it: "QUOTA PERIOD" in microseconds, "max" for no limit. A quota
 * alone keeps the period that is set; a period alone keeps `currentQuota`.
 * Throws INVALID_SPEC outside the kernel's range.
 */
function cpuMax(
  { quota, period }: { readonly quota: number; readonly period: number },
  currentQuota = "max",
): string {
  if (quota > 0 && (quota < QUOTA_MIN_MICROS || !Number.isInteger(quota))) {
    throw invalidLimit(
      `${ORIGIN}.quota`,
      `${quota} is less than ${QUOTA_MIN_MICROS} microseconds or no whole number`,
    );
  }
  const { min, max } = PERIOD_MICROS;
  if (period !== 0 && !(Number.isInteger(period) && period >= min && period <= max)) {
    const what = `${period} is not from ${min} to ${max} microseconds`;
    throw invalidLimit(`${ORIGIN}.period`, what);
  }
  const limit = quota === 0 ? currentQuota : quota < 0 ? "max" : String(quota);
  return period === 0 ? limit : `${limit} ${period}`;
}

function planCpuset(
  field: "cpus" | "mems",
  list: string | undefined,
  available: string | undefined,
): readonly CgroupWrite[] {
  if (list === undefined || list === "") return [];
  const origin = `${ORIGIN}.${field}`;
  const wanted = parseCpuList(list);
  if (!wanted) throw invalidLimit(origin, `"${list}" is no list of numbers like "0-3,7"`);
  // The kernel would take offline CPUs and silently use others.
  const there = parseCpuList(available ?? "");
  const missing = there && [...wanted].filter((number) => !there.has(number));
  if (missing && missing.length > 0) {
    const what = `"${list}" is not available, this system has ${available}`;
    throw invalidLimit(origin, what);
  }
  return [{ file: `cpuset.${field}`, value: list.trim(), controller: "cpuset", origin }];
}
