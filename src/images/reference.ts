/**
 * Names of images, as the distribution specification and podman write them: NAME[:TAG][@DIGEST].
 */
import { TsrunError } from "../base/errors.ts";

export interface ImageReference {
  /** E.g. "debian" or "registry.example:5000/team/app". */
  readonly name: string;
  /** "latest" where none was written. */
  readonly tag: string;
  /** "sha256:…" where one was written. */
  readonly digest?: string;
}

const HOST = String.raw`(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d{1,5})?/)?`;
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const REFERENCE = new RegExp(
  `^(?<name>${HOST}${COMPONENT}(?:/${COMPONENT})*)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$`,
);
/** Longer names are refused before the expression sees them. */
const MAX_LENGTH = 512;

/** Throws INVALID_ARGUMENT with what is allowed. OCI distribution-spec, "Pulling manifests". */
export function parseReference(text: string): ImageReference {
  const groups = text.length <= MAX_LENGTH ? REFERENCE.exec(text)?.groups : undefined;
  const name = groups?.["name"];
  if (name === undefined) {
    throw new TsrunError("INVALID_ARGUMENT", `"${text}" is not an image name`, {
      hint: 'Write lower-case words, then perhaps a tag: "debian:12", "team/app:v1.2".',
    });
  }
  const digest = groups?.["digest"];
  return { name, tag: groups?.["tag"] ?? "latest", ...(digest ? { digest } : {}) };
}

/** "NAME:TAG", as the store's index has it. */
export function formatReference({ name, tag }: ImageReference): string {
  return `${name}:${tag}`;
}
