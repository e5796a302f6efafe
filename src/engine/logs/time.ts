/** `--since` and `--until`: a point in time as a person writes it. Pure. */
import { TsrunError } from "../../base/errors.ts";
import { parseRfc3339 } from "./cri.ts";

const UNIT_NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

/**
 * Nanoseconds since 1970 for RFC 3339 ("2026-11-21T10:44:43.5Z", also without zone or time, which are
 * UTC and midnight then), Unix seconds ("1763721883.25"), or a duration before `now` ("10m", "1h30m").
 * Throws INVALID_ARGUMENT for anything else; `flag` is named then.
 */
export function parseLogTime(text: string, { now, flag }: { now: bigint; flag: string }): bigint {
  const time = parseUnixSeconds(text) ?? parseDate(text) ?? parseAgo(text, now);
  if (time !== undefined) return time;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" for ${flag} is no time`, {
    hint: 'Write a duration ("10m", "1h30m"), RFC 3339 ("2026-11-21T10:44:43Z") or Unix seconds.',
  });
}

function parseUnixSeconds(text: string): bigint | undefined {
  const match = /^(\d{1,18})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  return BigInt(match[1] ?? "0") * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

function parseDate(text: string): bigint | undefined {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?)?(Z|z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match === null) return undefined;
  const [, date, minutes = "00:00", seconds = ":00", zone = "Z"] = match;
  return parseRfc3339(`${date}T${minutes}${seconds}${zone}`);
}

const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/;

function parseAgo(text: string, now: bigint): bigint | undefined {
  if (!DURATION.test(text)) return undefined;
  let total = 0n;
  for (const [, whole = "0", fraction = "", unit = ""] of text.matchAll(
    /(\d+)(?:\.(\d+))?(ns|us|µs|ms|s|m|h|d)/g,
  )) {
    const nanoseconds = UNIT_NANOSECONDS[unit] ?? 0n;
    total += BigInt(whole) * nanoseconds;
    if (fraction !== "") total += (BigInt(fraction) * nanoseconds) / 10n ** BigInt(fraction.length);
  }
  return now - total;
}
