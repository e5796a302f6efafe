/**
 * The one sentence for a wrong value: it names the flag and what was typed.
 */
import { TsrunError } from "../../base/errors.ts";

/** `reason` completes the sentence: "it is not a size". */
export function invalidValue(
  flag: string,
  value: string,
  reason: string,
  hint: string,
): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `invalid value "${value}" for ${flag}: ${reason}`, {
    hint,
    origin: flag,
  });
}

/** A value that podman knows and tsrun does not have. */
export function unsupportedValue(
  flag: string,
  value: string,
  reason: string,
  hint: string,
): TsrunError {
  return new TsrunError("UNSUPPORTED", `unsupported value "${value}" for ${flag}: ${reason}`, {
    hint,
    origin: flag,
  });
}
