import { TsrunError } from "../base/errors.ts";

/** What is wrong with a field of the specification. */
export function invalid(origin: string, what: string, hint?: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, {
    origin,
    ...(hint === undefined ? {} : { hint }),
  });
}
