/**
 * The mount calls of Linux 5.2 and later: a mount is prepared as a descriptor, configured, and only
 * then attached. Names and flags are the kernel's (include/uapi/linux/mount.h, fcntl.h); every
 * descriptor is close-on-exec.
 */
import { readSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { cString, cStringOrNull, syscall, type Text } from "./libc.ts";

const FSOPEN_CLOEXEC = 1;
const FSPICK_CLOEXEC = 1;
const FSPICK_EMPTY_PATH = 8;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

/** A file system context. ENODEV if the kernel has no such type. fsopen(2). */
export function fsopen(type: string): number {
  return syscall("fsopen", type, cString(type), FSOPEN_CLOEXEC);
}

/** A context to reconfigure the mounted file system at `path`; empty: the descriptor's own. fspick(2). */
export function fspick(dirFd: number, path: Text): number {
  const flags = FSPICK_CLOEXEC | (path.length === 0 ? FSPICK_EMPTY_PATH : 0);
  return syscall("fspick", path, dirFd, cString(path), flags);
}

const FSCONFIG = {
  flag: 0,
  string: 1,
  binary: 2,
  path: 3,
  fd: 5,
  create: 6,
  reconfigure: 7,
} as const;

export type FsconfigCommand =
  | { readonly kind: "flag"; readonly key: string }
  | { readonly kind: "string"; readonly key: string; readonly value: string }
  | { readonly kind: "binary"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "path"; readonly key: string; readonly dirFd: number; readonly path: string }
  | { readonly kind: "fd"; readonly key: string; readonly fd: number }
  | { readonly kind: "create" }
  | { readonly kind: "reconfigure" };

/** One parameter or command of a context; `fsMessages` tells why it was refused. fsconfig(2). */
export function fsconfig(fsFd: number, command: FsconfigCommand): void {
  const number = FSCONFIG[command.kind];
  const key = "key" in command ? command.key : undefined;
  const { value, aux } = fsconfigValue(command);
  syscall("fsconfig", key ?? command.kind, fsFd, number, cStringOrNull(key), value, aux);
}

function fsconfigValue(command: FsconfigCommand): { value: Uint8Array | null; aux: number } {
  switch (command.kind) {
    case "string":
      return { value: cString(command.value), aux: 0 };
    case "binary":
      return { value: command.value, aux: command.value.length };
    case "path":
      return { value: cString(command.path), aux: command.dirFd };
    case "fd":
      return { value: null, aux: command.fd };
    case "flag":
    case "create":
    case "reconfigure":
      return { value: null, aux: 0 };
  }
}

/** What the file system said about the last failure: lines that begin with "e ", "w " or "i ". */
export function fsMessages(fsFd: number): readonly string[] {
  const messages: string[] = [];
  const buffer = new Uint8Array(4096);
  for (;;) {
    try {
      const size = readSync(fsFd, buffer);
      messages.push(Buffer.from(buffer.subarray(0, size)).toString().trimEnd());
    } catch (error) {
      if (hasErrno(error, "ENODATA", "Unknown system error -61")) return messages;
      throw error;
    }
  }
}

/** A detached mount of a created context; `attributes` are MOUNT_ATTR_*. fsmount(2). */
export function fsmount(fsFd: number, attributes = 0): number {
  return syscall("fsmount", `fd ${fsFd}`, fsFd, FSMOUNT_CLOEXEC, attributes);
}

/** A mount as O_PATH descriptor; with OPEN_TREE_CLONE (1) a detached copy, AT_RECURSIVE its children too. open_tree(2). */
export function openTree(dirFd: number, path: Text, flags = 0): number {
  const emptyPath = path.length === 0 ? AT_EMPTY_PATH : 0;
  return syscall("open_tree", path, dirFd, cString(path), flags | OPEN_TREE_CLOEXEC | emptyPath);
}

export interface MountPlace {
  readonly dirFd: number;
  /** Empty: the descriptor itself. */
  readonly path: Text;
}

/** Attaches a detached mount, or moves an attached one; `flags` are MOVE_MOUNT_*. move_mount(2). */
export function moveMount(from: MountPlace, to: MountPlace, flags = 0): void {
  const all =
    flags |
    (from.path.length === 0 ? MOVE_MOUNT_F_EMPTY_PATH : 0) |
    (to.path.length === 0 ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  const [source, target] = [cString(from.path), cString(to.path)];
  syscall("move_mount", to.path, from.dirFd, source, to.dirFd, target, all);
}

export interface MountAttributes {
  /** MOUNT_ATTR_* to set and to clear; an atime mode is changed by clearing MOUNT_ATTR__ATIME (0x70). */
  readonly set?: number;
  readonly clear?: number;
  /** MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE; 0 leaves it. */
  readonly propagation?: number;
  /** The user namespace of an id-mapped mount (set must hold MOUNT_ATTR_IDMAP). */
  readonly userNamespaceFd?: number;
}

/** struct mount_attr: four 64-bit fields. */
const MOUNT_ATTR_SIZE = 32;

/** mount_setattr(2); `flags`: AT_RECURSIVE (0x8000), AT_SYMLINK_NOFOLLOW. */
export function mountSetattr(
  { dirFd, path }: MountPlace,
  { set = 0, clear = 0, propagation = 0, userNamespaceFd = 0 }: MountAttributes,
  flags = 0,
): void {
  const attributes = BigUint64Array.of(
    BigInt(set),
    BigInt(clear),
    BigInt(propagation),
    BigInt(userNamespaceFd),
  );
  const all = flags | (path.length === 0 ? AT_EMPTY_PATH : 0);
  const bytes = new Uint8Array(attributes.buffer);
  syscall("mount_setattr", path, dirFd, cString(path), all, bytes, MOUNT_ATTR_SIZE);
}
