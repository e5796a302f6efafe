/**
 * The options of mount(8) and of OCI's config.md "Mounts", sorted by who obeys them: the mount
 * (attributes), its place in the tree (propagation), the file system's superblock (MS_ flags), or the
 * file system itself (data: everything that is not in these tables).
 */
import { TsrunError } from "../base/errors.ts";
import { MOUNT_ATTR, MS } from "./flags.ts";

/** MOUNT_ATTR_* to set and to clear; what is in neither stays as the source has it. */
export interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

export interface Propagation {
  /** One of MS.PRIVATE, SLAVE, SHARED, UNBINDABLE. */
  readonly type: number;
  readonly recursive: boolean;
}

export interface IdMapOption {
  readonly recursive: boolean;
  /** podman's "uids=…;gids=…"; undefined takes the mount's own mappings or the container's. */
  readonly mappings: string | undefined;
}

export interface MountOptions {
  readonly bind: "bind" | "rbind" | undefined;
  readonly attributes: AttributeChange;
  /** Of the mount and everything below it. */
  readonly recursiveAttributes: AttributeChange;
  readonly propagation: Propagation | undefined;
  /** MS_ flags of the superblock. */
  readonly superblock: number;
  /** The file system's own options, in order. */
  readonly data: readonly string[];
  /** Fill a new tmpfs with what the image has at its mount point. */
  readonly tmpCopyUp: boolean;
  readonly idMap: IdMapOption | undefined;
}

const { RDONLY, NOSUID, NODEV, NOEXEC, ATIME, NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW } =
  MOUNT_ATTR;

/**
 * Attributes of one mount. An access time mode clears the others: the three are one field
 * (mount_setattr(2), MOUNT_ATTR__ATIME). Each has a recursive twin with an "r" in front.
 */
const ATTRIBUTES: Readonly<Record<string, AttributeChange>> = {
  ro: { set: RDONLY, clear: 0 },
  rw: { set: 0, clear: RDONLY },
  nosuid: { set: NOSUID, clear: 0 },
  suid: { set: 0, clear: NOSUID },
  nodev: { set: NODEV, clear: 0 },
  dev: { set: 0, clear: NODEV },
  noexec: { set: NOEXEC, clear: 0 },
  exec: { set: 0, clear: NOEXEC },
  noatime: { set: NOATIME, clear: ATIME },
  atime: { set: 0, clear: ATIME },
  relatime: { set: 0, clear: ATIME },
  norelatime: { set: 0, clear: ATIME },
  strictatime: { set: STRICTATIME, clear: ATIME },
  nostrictatime: { set: 0, clear: ATIME },
  nodiratime: { set: NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: NODIRATIME },
  nosymfollow: { set: NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: NOSYMFOLLOW },
};

/** "r" + name; "rw" and "relatime" begin with an r of their own. */
const RECURSIVE_ATTRIBUTES = Object.fromEntries(
  Object.entries(ATTRIBUTES).map(([name, change]) => [`r${name}`, change]),
);

const PROPAGATIONS: Readonly<Record<string, Propagation>> = {
  private: { type: MS.PRIVATE, recursive: false },
  rprivate: { type: MS.PRIVATE, recursive: true },
  slave: { type: MS.SLAVE, recursive: false },
  rslave: { type: MS.SLAVE, recursive: true },
  shared: { type: MS.SHARED, recursive: false },
  rshared: { type: MS.SHARED, recursive: true },
  unbindable: { type: MS.UNBINDABLE, recursive: false },
  runbindable: { type: MS.UNBINDABLE, recursive: true },
};

/** MS_ flags that only a superblock has: [set, clear]. */
const SUPERBLOCK: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  sync: [MS.SYNCHRONOUS, 0],
  async: [0, MS.SYNCHRONOUS],
  dirsync: [MS.DIRSYNC, 0],
  mand: [MS.MANDLOCK, 0],
  nomand: [0, MS.MANDLOCK],
  lazytime: [MS.LAZYTIME, 0],
  nolazytime: [0, MS.LAZYTIME],
  iversion: [MS.I_VERSION, 0],
  noiversion: [0, MS.I_VERSION],
  silent: [MS.SILENT, 0],
  loud: [0, MS.SILENT],
};

/** What these words do for a superblock in fsconfig(2)'s vocabulary; `silent` and `iversion` have none. */
export const SUPERBLOCK_KEYS: Readonly<Record<string, number>> = {
  sync: MS.SYNCHRONOUS,
  dirsync: MS.DIRSYNC,
  mand: MS.MANDLOCK,
  lazytime: MS.LAZYTIME,
};

/** mount(8) knows them; for a container that is being launched they say nothing. */
const WITHOUT_EFFECT = new Set(["defaults", "auto", "noauto", "nofail", "_netdev", "notmpcopyup"]);

/** mount(8) knows them, but they change a mount that exists: a launch has none yet. */
const REFUSED: Readonly<Record<string, string>> = {
  remount: "there is nothing to remount yet: give the options to the mount itself",
  move: "a container's mounts are made, not moved: use a bind mount",
  loop: "attach the image to a loop device first and mount that",
  user: "it is meant for /etc/fstab",
  users: "it is meant for /etc/fstab",
  owner: "it is meant for /etc/fstab",
  group: "it is meant for /etc/fstab",
};

export function propagationOf(name: string): Propagation | undefined {
  return Object.hasOwn(PROPAGATIONS, name) ? PROPAGATIONS[name] : undefined;
}

/**
 * Later options win over earlier ones, as with mount(8).
 * Throws INVALID_SPEC for an option that cannot be meant for a container's mount.
 */
export function parseMountOptions(options: readonly string[], origin: string): MountOptions {
  let result: MountOptions = {
    bind: undefined,
    attributes: { set: 0, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: undefined,
    superblock: 0,
    data: [],
    tmpCopyUp: false,
    idMap: undefined,
  };
  for (const option of options) result = withOption(result, option, origin);
  return result;
}

function withOption(so: MountOptions, option: string, origin: string): MountOptions {
  if (option === "bind" || option === "rbind") return { ...so, bind: option };
  if (option === "tmpcopyup") return { ...so, tmpCopyUp: true };
  if (isIdMap(option)) return { ...so, idMap: parseIdMapOption(option) };
  const attribute = lookup(ATTRIBUTES, option);
  if (attribute) return { ...so, attributes: merge(so.attributes, attribute) };
  const recursive = lookup(RECURSIVE_ATTRIBUTES, option);
  if (recursive) return { ...so, recursiveAttributes: merge(so.recursiveAttributes, recursive) };
  const propagation = lookup(PROPAGATIONS, option);
  if (propagation) return { ...so, propagation };
  const superblock = lookup(SUPERBLOCK, option);
  if (superblock) {
    return { ...so, superblock: (so.superblock & ~superblock[1]) | superblock[0] };
  }
  // Of nothing nothing is asked: podman 5 writes such an option into its mounts for systemd.
  if (option === "" || WITHOUT_EFFECT.has(option) || /^[xX]-/.test(option)) return so;
  refuse(option, origin);
  return { ...so, data: [...so.data, option] };
}

function refuse(option: string, origin: string): void {
  const reason = lookup(REFUSED, option);
  if (reason === undefined && !option.includes("\0")) return;
  throw new TsrunError("INVALID_SPEC", `${origin}: the mount option "${option}" cannot be used`, {
    origin,
    ...(reason === undefined ? {} : { hint: sentence(reason) }),
  });
}

function sentence(reason: string): string {
  return `${reason[0]?.toUpperCase()}${reason.slice(1)}.`;
}

function isIdMap(option: string): boolean {
  return /^r?idmap(=|$)/.test(option);
}

function parseIdMapOption(option: string): IdMapOption {
  const at = option.indexOf("=");
  return {
    recursive: option.startsWith("r"),
    mappings: at === -1 ? undefined : option.slice(at + 1),
  };
}

/** A table's entry, and nothing that every object inherits ("constructor"). */
function lookup<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** First `first`, then `second`: what the second sets is no longer cleared, and the other way round. */
export function merge(first: AttributeChange, second: AttributeChange): AttributeChange {
  return {
    set: (first.set & ~second.clear) | second.set,
    clear: first.clear | second.clear,
  };
}

const ATTRIBUTE_TO_MS: readonly (readonly [attribute: number, ms: number])[] = [
  [RDONLY, MS.RDONLY],
  [NOSUID, MS.NOSUID],
  [NODEV, MS.NODEV],
  [NOEXEC, MS.NOEXEC],
  [NOATIME, MS.NOATIME],
  [STRICTATIME, MS.STRICTATIME],
  [NODIRATIME, MS.NODIRATIME],
  [NOSYMFOLLOW, MS.NOSYMFOLLOW],
];

/** The attributes of a new mount in mount(2)'s flags. */
export function mountFlags(attributes: number): number {
  return ATTRIBUTE_TO_MS.reduce(
    (flags, [attribute, ms]) => ((attributes & attribute) === 0 ? flags : flags | ms),
    0,
  );
}

/** Every option that these tables know; a file system's own ones come besides. */
export function mountOptionNames(): readonly string[] {
  return [
    ...[ATTRIBUTES, RECURSIVE_ATTRIBUTES, PROPAGATIONS, SUPERBLOCK].flatMap(Object.keys),
    ...["bind", "rbind", "idmap", "ridmap", "tmpcopyup", "defaults"],
  ].sort();
}
