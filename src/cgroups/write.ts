import { TsrunError } from "../base/errors.ts";
import type { ToleratedErrno } from "../plan/index.ts";
import type { Controller } from "./controllers.ts";

/** One value for one file of the container's cgroup. */
export interface CgroupWrite {
  readonly file: string;
  readonly value: string;
  /** Whose file it is; undefined for the core's (cgroup.*). */
  readonly controller: Controller | undefined;
  /** The field it comes from, e.g. "linux.resources.memory.limit". */
  readonly origin: string;
  readonly tolerate?: readonly ToleratedErrno[];
  /** After success, leave out so many of the writes that follow. */
  readonly skipOk?: number;
  readonly hint?: string;
}

/**
 * The value that a cgroup has without anybody's wish: "no limit", or the weight that all have. Where the
 * controller is missing it holds anyway; engines write such values for every container.
 */
export function isDefault({ file, value }: CgroupWrite): boolean {
  return value === "max" || value.startsWith("max ") || (file === "cpu.weight" && value === "100");
}

/** What is set already: `update` may change one half of a value that the kernel takes whole. */
export interface CurrentLimits {
  /** memory.max; Infinity for "max". */
  readonly memoryMaxBytes?: number;
  /** The first word of cpu.max: microseconds or "max". */
  readonly cpuQuota?: string;
  readonly cpuBurstMicros?: number;
}

/** A limit as the kernel writes it: "max" for -1. Throws INVALID_SPEC for a fraction or NaN. */
export function limitText(value: number, origin: string): string {
  if (value < 0 || value === Number.POSITIVE_INFINITY) return "max";
  if (!Number.isInteger(value)) throw invalidLimit(origin, `${value} is not a whole number`);
  return String(value);
}

export function invalidLimit(origin: string, what: string, hint?: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, {
    origin,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** For a field that only cgroup v1 can carry out: to ignore it would be to pretend. */
export function onlyInV1(origin: string, hint: string): TsrunError {
  return new TsrunError("UNSUPPORTED", `${origin}: cgroup v2 has no such limit`, { origin, hint });
}
