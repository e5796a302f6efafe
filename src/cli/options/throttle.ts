/**
 * --device-read-bps and its three siblings: "PATH:RATE".
 */
import { invalidValue } from "./invalid-value.ts";
import { parseInteger } from "./number.ts";
import { parseSize } from "./size.ts";

export type ThrottleKind = "bps" | "iops";

/** A rate in bytes (with units) or operations a second; the path is a block device's. */
export function parseThrottle(
  flag: string,
  text: string,
  kind: ThrottleKind,
): { readonly path: string; readonly rate: number } {
  const at = text.lastIndexOf(":");
  const path = text.slice(0, at);
  const example = kind === "bps" ? "/dev/sda:10m" : "/dev/sda:1000";
  if (at < 0 || !path.startsWith("/dev/")) {
    throw invalidValue(flag, text, "it is not DEVICE:RATE", `Write it as ${example}.`);
  }
  const rateText = text.slice(at + 1);
  const rate =
    kind === "bps"
      ? parseSize(flag, rateText)
      : parseInteger(flag, rateText, { min: 0, max: Number.MAX_SAFE_INTEGER });
  if (rate === 0) {
    throw invalidValue(flag, text, "a rate of 0 would never end", `Write it as ${example}.`);
  }
  return { path, rate };
}
