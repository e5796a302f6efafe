/**
 * Memory, cpu, io and pids limits, as `run` and `update` take them.
 */
import type { LimitsRequest } from "../../engine/index.ts";
import type { OciThrottle } from "../../spec/index.ts";
import type { OptionValues } from "../option-values.ts";
import { parseCpuList } from "./cpu-list.ts";
import { invalidValue } from "./invalid-value.ts";
import { parseInteger } from "./number.ts";
import { parseSizeOrUnlimited } from "./size.ts";
import { parseThrottle, type ThrottleKind } from "./throttle.ts";

/** The device number of a block device's path: the caller looks it up. */
export type DeviceNumberOf = (
  flag: string,
  path: string,
) => { readonly major: number; readonly minor: number };

type Sizes = { -readonly [K in keyof LimitsRequest]?: LimitsRequest[K] };

/** Throws for values that contradict each other, too. podman-run(1). */
export function parseLimits(options: OptionValues, deviceNumber: DeviceNumberOf): LimitsRequest {
  const limits: Sizes = {};
  const set = <K extends keyof LimitsRequest>(
    name: string,
    key: K,
    parse: (flag: string, text: string) => LimitsRequest[K] | undefined,
  ) => {
    const text = options.value(name);
    const value = text === undefined ? undefined : parse(`--${name}`, text);
    if (value !== undefined) limits[key] = value;
  };
  set("memory", "memoryBytes", parseSizeOrUnlimited);
  set("memory-swap", "memorySwapBytes", parseMemorySwap);
  set("memory-high", "memoryHighBytes", parseSizeOrUnlimited);
  set("memory-reservation", "memoryReservationBytes", parseSizeOrUnlimited);
  set("cpus", "cpus", parseCpus);
  set("cpu-weight", "cpuWeight", parseWeight);
  set("cpuset-cpus", "cpusetCpus", parseCpuList);
  set("cpuset-mems", "cpusetMems", parseCpuList);
  set("pids-limit", "pidsLimit", parsePidsLimit);
  set("io-weight", "ioWeight", parseWeight);
  const throttles = (name: string, kind: ThrottleKind): readonly OciThrottle[] =>
    options.list(name).map((text) => {
      const { path, rate } = parseThrottle(`--${name}`, text, kind);
      return { ...deviceNumber(`--${name}`, path), rate };
    });
  for (const [name, key, kind] of THROTTLES) {
    const values = throttles(name, kind);
    if (values.length > 0) limits[key] = values;
  }
  checkMemory(limits, options);
  return limits;
}

const THROTTLES = [
  ["device-read-bps", "deviceReadBps", "bps"],
  ["device-write-bps", "deviceWriteBps", "bps"],
  ["device-read-iops", "deviceReadIops", "iops"],
  ["device-write-iops", "deviceWriteIops", "iops"],
] as const;

/** "-1" is unlimited swap; "0" leaves it unset, as podman does. */
function parseMemorySwap(flag: string, text: string): number | undefined {
  return text.trim() === "0" ? undefined : parseSizeOrUnlimited(flag, text);
}

/** Cores; "0" means no limit, -1 in the request. The kernel's least quota is a hundredth of a core. */
function parseCpus(flag: string, text: string): number {
  const cpus = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (cpus === 0) return -1;
  if (!(cpus >= 0.01 && cpus <= 10_000)) {
    throw invalidValue(
      flag,
      text,
      "it is not a number of cpus",
      "Give a number of at least 0.01, such as 1.5.",
    );
  }
  return cpus;
}

function parseWeight(flag: string, text: string): number {
  return parseInteger(flag, text, { min: 1, max: 10_000 });
}

/** -1 and 0 are unlimited. */
function parsePidsLimit(flag: string, text: string): number {
  const limit = parseInteger(flag, text, { min: -1, max: 4_194_304 });
  return limit === 0 ? -1 : limit;
}

/** Limits that are larger than the one they are part of can only be a mistake. */
function checkMemory(
  { memoryBytes, memorySwapBytes, memoryReservationBytes }: Sizes,
  options: OptionValues,
): void {
  const text = (name: string) => options.value(name) ?? "";
  if (memorySwapBytes !== undefined && memorySwapBytes !== -1) {
    if (memoryBytes !== undefined && memorySwapBytes < memoryBytes) {
      throw invalidValue(
        "--memory-swap",
        text("memory-swap"),
        `it is less than --memory "${text("memory")}"`,
        "It counts memory and swap together: give at least the value of --memory.",
      );
    }
  }
  if (memoryBytes === undefined || memoryBytes === -1) return;
  if (memoryReservationBytes !== undefined && memoryReservationBytes > memoryBytes) {
    throw invalidValue(
      "--memory-reservation",
      text("memory-reservation"),
      `it is more than --memory "${text("memory")}"`,
      "Reserve at most what --memory allows.",
    );
  }
}
