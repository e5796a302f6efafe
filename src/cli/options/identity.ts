/**
 * Names and ids of the container and its process: --name, --hostname, --user, --stop-signal and so on.
 */
import { parseSignal as parseSignalNumber, signalName } from "../../base/signal.ts";
import { invalidValue } from "./invalid-value.ts";

/** podman's rule for container names. */
export function parseContainerName(flag: string, text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text) && text.length <= 128) return text;
  throw invalidValue(
    flag,
    text,
    "it is not a container name",
    "Use up to 128 letters, digits, _ . and -, and begin with a letter or digit.",
  );
}

/** sethostname(2) takes at most 64 bytes; the characters are hostname(7)'s. */
export function parseHostname(flag: string, text: string): string {
  if (/^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/.test(text) && text.length <= 64) return text;
  throw invalidValue(
    flag,
    text,
    "it is not a hostname",
    "Use up to 64 letters, digits, dots and hyphens.",
  );
}

/** "SIGTERM" for any spelling of a signal. */
export function parseSignal(flag: string, text: string): string {
  try {
    return signalName(parseSignalNumber(text));
  } catch {
    // The sentence names the flag here; base/signal.ts cannot know it.
    throw invalidValue(
      flag,
      text,
      "it is not a signal",
      "Use a name such as TERM or SIGHUP, or a number from 1 to 64.",
    );
  }
}

const USER_PART = /^[a-zA-Z0-9_][a-zA-Z0-9_.$-]*$/;

/** "USER" or "USER:GROUP", by name or number. */
export function parseUser(flag: string, text: string): string {
  const parts = text.split(":");
  if (parts.length <= 2 && parts.every((part) => USER_PART.test(part))) return text;
  throw invalidValue(
    flag,
    text,
    "it is not USER[:GROUP]",
    "Use names or numbers, such as nobody or 1000:1000.",
  );
}

/** --group-add: a name or number. */
export function parseGroup(flag: string, text: string): string {
  if (USER_PART.test(text) && text !== "keep-groups") return text;
  throw invalidValue(flag, text, "it is not a group", "Use a name or number, such as audio or 29.");
}

/** An absolute path inside the container. */
export function parseWorkdir(flag: string, text: string): string {
  if (text.startsWith("/") && !text.includes("\0")) return text;
  throw invalidValue(flag, text, "it is not an absolute path", "Begin it with /.");
}

/** --cgroup-parent: below the host's cgroup root. */
export function parseCgroupParent(flag: string, text: string): string {
  const parts = text.split("/").filter((part) => part !== "");
  if (parts.length > 0 && !parts.includes("..") && !parts.includes(".")) return text;
  throw invalidValue(
    flag,
    text,
    "it is not a path of a cgroup",
    "Give a path below the cgroup root, such as /jobs.",
  );
}

/** --entrypoint: a program, or a JSON array of it and its arguments; "" clears the image's. */
export function parseEntrypoint(flag: string, text: string): readonly string[] {
  if (text === "") return [];
  if (!text.trimStart().startsWith("[")) return [text];
  const words: unknown = parseJson(text);
  if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  throw invalidValue(
    flag,
    text,
    "it is not a JSON array of strings",
    'Write it as ["program", "argument"].',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller's sentence covers it
  }
}

/** --personality: an execution domain. personality(2). */
export function parsePersonality(flag: string, text: string): string {
  const domain = text.toUpperCase();
  if (domain === "LINUX" || domain === "LINUX32") return domain;
  throw invalidValue(flag, text, "it is no execution domain", "Use linux or linux32.");
}
