/**
 * The mount options that -v, --mount and --tmpfs share, by mount(8)'s names.
 */
import { invalidValue, unsupportedValue } from "./invalid-value.ts";

/** Each with its opposite: both at once contradict each other. */
const OPPOSITES: readonly (readonly [string, string])[] = [
  ["ro", "rw"],
  ["nosuid", "suid"],
  ["nodev", "dev"],
  ["noexec", "exec"],
  ["noatime", "atime"],
  ["nodiratime", "diratime"],
  ["norelatime", "relatime"],
  ["strictatime", "nostrictatime"],
  ["nosymfollow", "symfollow"],
  ["sync", "async"],
  ["bind", "rbind"],
  ["tmpcopyup", "notmpcopyup"],
];

/** The same for the whole tree below the mount: mount_setattr(2) with AT_RECURSIVE. */
const RECURSIVE: readonly string[] = [
  "rro",
  "rrw",
  "rnosuid",
  "rsuid",
  "rnodev",
  "rdev",
  "rnoexec",
  "rexec",
  "rnoatime",
  "ratime",
  "rnodiratime",
  "rdiratime",
  "rrelatime",
  "rnorelatime",
  "rstrictatime",
  "rnostrictatime",
  "rnosymfollow",
  "rsymfollow",
];

export const PROPAGATIONS: readonly string[] = [
  "shared",
  "slave",
  "private",
  "unbindable",
  "rshared",
  "rslave",
  "rprivate",
  "runbindable",
];

const FLAGS = new Set([
  ...OPPOSITES.flat().filter((option) => !option.endsWith("tmpcopyup")),
  ...RECURSIVE,
]);

/** True for an option of mount(8) that any file system takes, propagation left out. */
export function isMountFlag(option: string): boolean {
  return FLAGS.has(option);
}

/** Refuses options that contradict each other. */
export function checkMountOptions(flag: string, text: string, options: readonly string[]): void {
  const opposite = OPPOSITES.find((pair) => pair.every((option) => options.includes(option)));
  if (opposite) {
    throw invalidValue(
      flag,
      text,
      `"${opposite[0]}" and "${opposite[1]}" contradict each other`,
      "Keep one of them.",
    );
  }
  const propagations = options.filter((option) => PROPAGATIONS.includes(option));
  if (new Set(propagations).size > 1) {
    throw invalidValue(
      flag,
      text,
      `"${propagations.join('" and "')}" contradict each other`,
      "Keep one propagation.",
    );
  }
}

/** "idmap": the container's own id map. Maps of the mount's own ("idmap=uids=0-1000-1") are refused. */
export function parseIdmapOption(flag: string, text: string, value: string | undefined): string {
  if (value === undefined || value === "") return "idmap";
  throw unsupportedValue(
    flag,
    text,
    "a mount cannot have an id map of its own yet",
    "Write idmap alone: the mount is seen through the container's own map.",
  );
}

/** A path inside the container: absolute, not "/" itself. Returned without doubled or final slashes. */
export function parseTarget(flag: string, text: string, target: string): string {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  if (!target.startsWith("/") || parts.includes("..") || target.includes("\0")) {
    throw invalidValue(
      flag,
      text,
      `the path "${target}" in the container is not absolute`,
      "Begin it with / and leave out .. components.",
    );
  }
  if (parts.length === 0) {
    throw invalidValue(
      flag,
      text,
      'nothing can be mounted on the container\'s "/"',
      "Use --rootfs to choose the root.",
    );
  }
  return `/${parts.join("/")}`;
}
