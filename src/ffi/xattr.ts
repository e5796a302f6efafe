/**
 * Extended attributes, as bytes. A file is a path (`follow` says whether a final symbolic link is
 * followed; by default it is not) or a descriptor opened for reading; /proc/self/fd/N with
 * `follow: true` serves an O_PATH one. xattr(7).
 */
import { hasErrno } from "../base/errors.ts";
import { type Argument, cString, syscall, type Text } from "./libc.ts";
import type { SyscallName } from "./syscall-numbers.ts";

export type XattrTarget = number | Text | { readonly path: Text; readonly follow: boolean };

type Family = readonly [link: SyscallName, follow: SyscallName, fd: SyscallName];
const GET = ["lgetxattr", "getxattr", "fgetxattr"] as const;
const SET = ["lsetxattr", "setxattr", "fsetxattr"] as const;
const LIST = ["llistxattr", "listxattr", "flistxattr"] as const;
const REMOVE = ["lremovexattr", "removexattr", "fremovexattr"] as const;

/** The value; undefined if the file has no such attribute. EOPNOTSUPP: its file system has none. */
export function getXattr(target: XattrTarget, name: string): Uint8Array | undefined {
  try {
    return readGrowing(GET, target, name);
  } catch (error) {
    if (hasErrno(error, "ENODATA")) return undefined;
    throw error;
  }
}

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/** setxattr(2); `create` gives EEXIST, `replace` ENODATA, where the attribute is not as expected. */
export function setXattr(
  target: XattrTarget,
  name: string,
  value: Uint8Array,
  how: "set" | "create" | "replace" = "set",
): void {
  const flags = { set: 0, create: XATTR_CREATE, replace: XATTR_REPLACE }[how];
  call(SET, target, name, value, value.length, flags);
}

/** The names of all attributes that this user may see. listxattr(2). */
export function listXattrs(target: XattrTarget): readonly string[] {
  const names = Buffer.from(readGrowing(LIST, target)).toString();
  return names.split("\0").filter((name) => name !== "");
}

/** removexattr(2); ENODATA if it is not there. */
export function removeXattr(target: XattrTarget, name: string): void {
  call(REMOVE, target, name);
}

/** XATTR_SIZE_MAX and XATTR_LIST_MAX. */
const LARGEST = 65536;

/** Most values fit the first buffer; ERANGE says that this one does not. */
function readGrowing(family: Family, target: XattrTarget, name?: string): Uint8Array {
  const small = new Uint8Array(512);
  try {
    return small.subarray(0, call(family, target, name, small, small.length));
  } catch (error) {
    if (!hasErrno(error, "ERANGE")) throw error;
    const large = new Uint8Array(LARGEST);
    return large.subarray(0, call(family, target, name, large, large.length));
  }
}

function call(
  [link, followed, byFd]: Family,
  target: XattrTarget,
  name: string | undefined,
  ...rest: readonly Argument[]
): number {
  const attribute = name === undefined ? [] : [cString(name)];
  const subject = name ?? "";
  if (typeof target === "number")
    return syscall(byFd, subject || target, target, ...attribute, ...rest);
  const { path, follow } =
    typeof target === "string" || target instanceof Uint8Array
      ? { path: target, follow: false }
      : target;
  return syscall(follow ? followed : link, path, cString(path), ...attribute, ...rest);
}
