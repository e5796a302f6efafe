import { TsrunError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";

/** A name is a directory's name, too. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** podman's rule for names. Throws INVALID_ARGUMENT. */
export function parseVolumeName(text: string): string {
  if (NAME.test(text)) return text;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" is no name for a volume`, {
    hint: "Use letters, digits, _, . and -, beginning with a letter or a digit.",
  });
}

/** 64 hexadecimal digits: what a volume that nobody named is called. */
export function randomVolumeName(): string {
  return randomHex(32);
}
