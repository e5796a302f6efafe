import { TsrunError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { ContainerId } from "./records.ts";

const ID_BYTES = 32;
const ID_PATTERN = /^[0-9a-f]{64}$/;
const PREFIX_PATTERN = /^[0-9a-f]{1,64}$/;
/** What people are shown, and what a short id has without being unique by accident. */
const SHORT_LENGTH = 12;

export function randomContainerId(): ContainerId {
  return randomHex(ID_BYTES) as ContainerId;
}

export function isContainerId(text: string): text is ContainerId {
  return ID_PATTERN.test(text);
}

export function isIdPrefix(text: string): boolean {
  return PREFIX_PATTERN.test(text);
}

export function shortId(id: ContainerId): string {
  return id.slice(0, SHORT_LENGTH);
}

const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** A name is a file name (NAME_MAX 255, with room for a suffix) and a host name candidate. */
const NAME_MAX = 200;

/**
 * Throws INVALID_ARGUMENT unless the text can be a container's name: podman's pattern, and not an id
 * that it could hide.
 */
export function parseContainerName(text: string): string {
  if (!NAME_PATTERN.test(text) || text.length > NAME_MAX) {
    throw new TsrunError("INVALID_ARGUMENT", `"${text}" cannot be a container's name`, {
      hint: `Use letters, digits, "_", "." and "-", beginning with a letter or digit, at most ${NAME_MAX}.`,
    });
  }
  if (isContainerId(text)) {
    throw new TsrunError("INVALID_ARGUMENT", `"${text}" cannot be a name: it looks like an id`, {
      hint: "Choose a name that is not 64 hexadecimal digits.",
    });
  }
  return text;
}
