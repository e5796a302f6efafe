/**
 * Digests: what a blob is called by, "sha256:" and 64 hexadecimal digits. image-spec descriptor.md.
 */
import { hash } from "node:crypto";
import { TsrunError } from "../base/errors.ts";

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${hash("sha256", bytes, "hex")}`;
}

export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Throws IMAGE_INVALID for what is none: it becomes part of a path. */
export function checkDigest(text: unknown, where: string): string {
  if (typeof text === "string" && DIGEST.test(text)) return text;
  throw new TsrunError("IMAGE_INVALID", `${where} has no sha256 digest`, {
    hint: "Other digests than sha256 are not supported; more likely the image is damaged.",
  });
}
