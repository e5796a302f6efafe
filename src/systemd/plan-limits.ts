/**
 * Limits as a unit's properties. They are derived from the values that cgroup v2's files get, whatever
 * field those came from: systemd writes the same files, and would put its own idea of them back with
 * the next daemon-reload.
 */
import { parseCpuList } from "../base/cpu-list.ts";
import type { DbusValue, UnitProperty } from "./unit-property.ts";

/** A value for a file of the container's cgroup. */
interface Limit {
  readonly file: string;
  readonly value: string;
}

export interface LimitFacts {
  /** systemd's, as 252. */
  readonly version: number;
}

type Convert = (value: string, facts: LimitFacts) => readonly UnitProperty[];

/** CGROUP_LIMIT_MAX and USEC_INFINITY. */
const INFINITY = 2n ** 64n - 1n;
const DEFAULT_PERIOD_MICROS = "100000";
const DEFAULT_CPU_WEIGHT = 100n;
/** CPUWeight=idle, on the bus. */
const IDLE = 0n;
const IDLE_SINCE = 252;

/** systemd.resource-control(5). Other files have no property, and systemd leaves them alone. */
const CONVERSIONS = new Map<string, Convert>([
  ["memory.max", amount("MemoryMax")],
  ["memory.high", amount("MemoryHigh")],
  ["memory.low", amount("MemoryLow")],
  ["memory.min", amount("MemoryMin")],
  ["memory.swap.max", amount("MemorySwapMax")],
  ["pids.max", amount("TasksMax")],
  ["cpu.weight", amount("CPUWeight")],
  ["cpu.idle", cpuIdle],
  ["cpu.max", cpuMax],
  ["cpuset.cpus", numbers("AllowedCPUs")],
  ["cpuset.mems", numbers("AllowedMemoryNodes")],
  ["io.weight", ioWeight],
  ["io.max", ioMax],
]);

/** Each property once; of two values for one limit the later wins, as it does in the files. */
export function planLimits(limits: readonly Limit[], facts: LimitFacts): readonly UnitProperty[] {
  const found = new Map<string, UnitProperty>();
  for (const { file, value } of inPropertyOrder(limits)) {
    for (const property of CONVERSIONS.get(file)?.(value, facts) ?? []) {
      found.set(property.name, withDevices(found.get(property.name), property));
    }
  }
  return [...found.values()];
}

/** One property is for both: the weight counts unless the class is the idle one. */
function inPropertyOrder(limits: readonly Limit[]): readonly Limit[] {
  const isIdle = ({ file, value }: Limit) => file === "cpu.idle" && value === "1";
  const notIdle = ({ file, value }: Limit) => file === "cpu.idle" && value !== "1";
  return [
    ...limits.filter(notIdle),
    ...limits.filter(({ file }) => file !== "cpu.idle"),
    ...limits.filter(isIdle),
  ];
}

function withDevices(before: UnitProperty | undefined, property: UnitProperty): UnitProperty {
  if (!before || property.signature !== DEVICES) return property;
  return { ...property, value: [before.value, property.value].flat() as DbusValue[] };
}

const u64 = (name: string, value: bigint): UnitProperty => ({ name, signature: "t", value });

const SUFFIXES = "KMGTPE";

/** As the kernel reads it, "512M" too; undefined for what it will refuse. lib/cmdline.c, memparse(). */
function parseAmount(text: string): bigint | undefined {
  if (text === "max") return INFINITY;
  const [, digits, suffix = ""] = /^(\d{1,20})([KMGTPE]?)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const power = suffix === "" ? 0 : SUFFIXES.indexOf(suffix.toUpperCase()) + 1;
  const value = BigInt(digits) << BigInt(10 * power);
  return value > INFINITY ? undefined : value;
}

function amount(name: string): Convert {
  return (text) => {
    const value = parseAmount(text);
    return value === undefined ? [] : [u64(name, value)];
  };
}

function cpuIdle(value: string, { version }: LimitFacts): readonly UnitProperty[] {
  if (version < IDLE_SINCE) return [];
  return [u64("CPUWeight", value === "1" ? IDLE : DEFAULT_CPU_WEIGHT)];
}

const PERCENT_MICROS = 10_000n;

/**
 * systemd stores whole percents (in the unit's file, which a daemon-reload reads): rounded up, so that the
 * container's own cgroups can have what it was promised. The file gets the exact value after that.
 */
function cpuMax(value: string): readonly UnitProperty[] {
  if (!/^(max|\d{1,15})( [1-9]\d{0,14})?$/.test(value)) return [];
  const [quota = "max", period] = value.split(" ");
  const periods = period === undefined ? [] : [u64("CPUQuotaPeriodUSec", BigInt(period))];
  return [...periods, u64("CPUQuotaPerSecUSec", perSecond(quota, period ?? DEFAULT_PERIOD_MICROS))];
}

function perSecond(quota: string, period: string): bigint {
  if (quota === "max") return INFINITY;
  const micros = (BigInt(quota) * 1_000_000n) / BigInt(period);
  return ((micros + PERCENT_MICROS - 1n) / PERCENT_MICROS) * PERCENT_MICROS;
}

/** A bit a number, the lowest first. */
function numbers(name: string): Convert {
  return (value) => {
    const set = [...(parseCpuList(value) ?? [])];
    if (set.length === 0) return [];
    const mask = new Uint8Array(1 + Math.floor(Math.max(...set) / 8));
    for (const number of set) {
      const byte = Math.floor(number / 8);
      mask[byte] = (mask[byte] ?? 0) | (1 << (number % 8));
    }
    return [{ name, signature: "ay", value: mask }];
  };
}

const DEVICES = "a(st)";

/** systemd finds a device by a path; udev has a link for each number. */
const device = (name: string, number: string, value: bigint): UnitProperty => ({
  name,
  signature: DEVICES,
  value: [[`/dev/block/${number}`, value]],
});

/** "100", "default 100" or "8:0 100". */
function ioWeight(value: string): readonly UnitProperty[] {
  const [first = "", second] = value.split(" ");
  const weight = parseAmount(second ?? first);
  if (weight === undefined) return [];
  if (second === undefined || first === "default") return [u64("IOWeight", weight)];
  return [device("IODeviceWeight", first, weight)];
}

const RATES = new Map([
  ["rbps", "IOReadBandwidthMax"],
  ["wbps", "IOWriteBandwidthMax"],
  ["riops", "IOReadIOPSMax"],
  ["wiops", "IOWriteIOPSMax"],
]);

/** "8:0 rbps=1048576 wiops=max" */
function ioMax(value: string): readonly UnitProperty[] {
  const [number = "", ...rates] = value.split(" ");
  return rates.flatMap((rate) => {
    const [key = "", limit = "max"] = rate.split("=");
    const name = RATES.get(key);
    const most = parseAmount(limit);
    return name === undefined || most === undefined ? [] : [device(name, number, most)];
  });
}
