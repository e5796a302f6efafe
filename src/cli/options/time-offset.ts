/**
 * --time-offset: how far the clocks of the container's time namespace are from the host's.
 */
import type { NamespacesRequest } from "../../engine/index.ts";
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

const FLAG = "--time-offset";
const HINT = "Write it as 3d, or monotonic=+1h,boottime=-30m; units are ns, us, ms, s, m, h, d.";

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

type TimeOffsets = NonNullable<NamespacesRequest["time"]>;

/** "OFFSET" for both clocks, or "monotonic=OFFSET,boottime=OFFSET"; seconds without a unit. time_namespaces(7). */
export function parseTimeOffset(texts: readonly string[]): TimeOffsets {
  const parts = texts.flatMap((text) => text.split(",").map((part) => parsePart(text, part)));
  return Object.assign({}, ...parts) as TimeOffsets;
}

function parsePart(text: string, part: string): TimeOffsets {
  const { key, value } = splitKeyValue(part);
  const offset = parseOffset(text, value ?? key);
  if (value === undefined) return { monotonicNs: offset, boottimeNs: offset };
  if (key === "monotonic") return { monotonicNs: offset };
  if (key === "boottime") return { boottimeNs: offset };
  throw invalidValue(FLAG, text, `there is no clock "${key}"`, HINT);
}

function parseOffset(text: string, offset: string): bigint {
  const match = /^([+-]?)(\d{1,12})(ns|us|ms|s|m|h|d)?$/.exec(offset);
  if (!match) throw invalidValue(FLAG, text, `"${offset}" is not an offset`, HINT);
  const ns = BigInt(match[2] ?? 0) * (UNIT_NS[match[3] ?? "s"] ?? 1n);
  return match[1] === "-" ? -ns : ns;
}
