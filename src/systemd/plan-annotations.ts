/** Properties of the unit that a specification's author asks for by annotations. */
import { TsrunError } from "../base/errors.ts";
import { parseVariant } from "./parse-variant.ts";
import type { TypedValue, UnitProperty } from "./unit-property.ts";

const PREFIX = "org.systemd.property.";

/**
 * "org.systemd.property.TimeoutStopUSec": "uint64 123456789". A time whose documented name ends in "Sec"
 * may be given in seconds, as it is there. Throws INVALID_SPEC, naming the annotation.
 * runc, docs/systemd.md, "Auxiliary properties".
 */
export function planAnnotations(
  annotations: Readonly<Record<string, string>> = {},
): readonly UnitProperty[] {
  return Object.entries(annotations).flatMap(([key, text]) =>
    key.startsWith(PREFIX) ? [planProperty(key, text)] : [],
  );
}

function planProperty(key: string, text: string): UnitProperty {
  const origin = `annotations["${key}"]`;
  const name = key.slice(PREFIX.length);
  if (!/^[A-Za-z]{3,}$/.test(name)) {
    throw new TsrunError("INVALID_SPEC", `${origin}: "${name}" is no name of a property`, {
      origin,
    });
  }
  try {
    const value = parseVariant(text);
    return inMicroseconds(name) ? toMicroseconds(name, value) : { name, ...value };
  } catch (cause) {
    if (!(cause instanceof TsrunError)) throw cause;
    throw new TsrunError("INVALID_SPEC", `${origin}: ${cause.message}`, {
      origin,
      cause,
      hint: 'The value is in GVariant\'s text format, e.g. "\'text\'" or "uint64 5".',
    });
  }
}

/** TimeoutStopSec, but not TimeoutStopUSec. */
function inMicroseconds(name: string): boolean {
  return /[a-z]Sec$/.test(name);
}

const LONGEST_SECONDS = 2 ** 53 / 1e6;

function toMicroseconds(name: string, { signature, value }: TypedValue): UnitProperty {
  const seconds = /^[nqiuxtd]$/.test(signature) ? Number(value) : Number.NaN;
  if (!(seconds >= 0 && seconds <= LONGEST_SECONDS)) {
    throw new TsrunError("INVALID_SPEC", "it is no number of seconds");
  }
  return {
    name: name.replace(/Sec$/, "USec"),
    signature: "t",
    value: BigInt(Math.round(seconds * 1e6)),
  };
}
