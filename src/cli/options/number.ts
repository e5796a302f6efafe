import { invalidValue } from "./invalid-value.ts";

/** A whole number inside `min`–`max`. */
export function parseInteger(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  const range = max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  if (!Number.isSafeInteger(value)) {
    throw invalidValue(flag, text, "it is not a whole number", `Give a whole number ${range}.`);
  }
  if (value < min || value > max) {
    throw invalidValue(flag, text, "it is out of range", `Give a whole number ${range}.`);
  }
  return value === 0 ? 0 : value; // "-0" is 0
}

/** An octal file mode or mask, 0–07777. */
export function parseOctal(flag: string, text: string, max: number): number {
  const value = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if (!(value <= max)) {
    const highest = max.toString(8).padStart(4, "0");
    throw invalidValue(
      flag,
      text,
      "it is not an octal number in range",
      `Give octal digits from 0000 to ${highest}, such as 0022.`,
    );
  }
  return value;
}

/** Go's spelling of booleans, which podman accepts after "=". */
export function parseBoolean(flag: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw invalidValue(flag, text, "it is neither true nor false", "Give true or false.");
}
