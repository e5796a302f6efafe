/**
 * --log-opt: max-size and max-file.
 */
import type { ContainerRequest } from "../../engine/index.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";
import { parseKeyValue } from "./key-value.ts";
import { parseInteger } from "./number.ts";
import { parseSize } from "./size.ts";

type LogRequest = NonNullable<ContainerRequest["log"]>;

/** max-size is in bytes with units, max-file counts the files kept. */
export function parseLogOptions(texts: readonly string[]): LogRequest {
  const flag = "--log-opt";
  const log: { maxSizeBytes?: number; maxFiles?: number } = {};
  for (const text of texts) {
    const { key, value } = parseKeyValue(flag, text, "max-size=10m");
    if (key === "max-size") log.maxSizeBytes = positiveSize(flag, text, value);
    else if (key === "max-file") log.maxFiles = parseInteger(flag, value, { min: 1, max: 1000 });
    else if (["path", "tag", "label", "labels", "env"].includes(key)) {
      throw unsupportedValue(
        flag,
        text,
        `"${key}" is not there yet`,
        "Use max-size=10m and max-file=3.",
      );
    } else {
      throw invalidValue(
        flag,
        text,
        `there is no log option "${key}"`,
        "Use max-size=10m and max-file=3.",
      );
    }
  }
  return log;
}

function positiveSize(flag: string, text: string, value: string): number {
  const bytes = parseSize(flag, value);
  if (bytes >= 4096) return bytes;
  throw invalidValue(
    flag,
    text,
    "a log of less than 4096 bytes holds nothing",
    "Use max-size=10m.",
  );
}
