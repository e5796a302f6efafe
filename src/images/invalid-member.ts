import { TsrunError } from "../base/errors.ts";

/** For a member of an archive that cannot be unpacked, or must not. */
export function invalid(name: string, what: string): TsrunError {
  return new TsrunError("IMAGE_INVALID", `the archive's member "${name}" ${what}`, {
    hint: "Nothing was kept. Look at it with `tar tvf`, and at where it comes from.",
  });
}
