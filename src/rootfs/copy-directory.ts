/**
 * What a tmpcopyup mount begins with: a directory of the image, its owners as the host counts them.
 */
import { constants } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { copyTree, directoryNames, openInRoot } from "../ffi/index.ts";
import { hostId, type IdMaps } from "./id-maps.ts";

const { O_DIRECTORY, O_RDONLY } = constants;

/** undefined if there is no directory at `path` below the root. */
export function openDirectoryInRoot(rootFd: number, path: string): number | undefined {
  try {
    return openInRoot(rootFd, path, { flags: O_RDONLY | O_DIRECTORY });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

export function isEmpty(dirFd: number): boolean {
  for (const _ of directoryNames(dirFd)) return false; // leaving the loop closes the directory
  return true;
}

/** overlayfs's own attributes say how a layer is read; a copy is no layer. */
const OVERLAY_XATTR = /^(trusted|user)\.overlay\./;

/**
 * Fills `targetFd` with what `sourceFd` holds; the target's own attributes stay. With `maps`, owners are
 * the container's ids and become the host's.
 */
export function copyDirectory(sourceFd: number, targetFd: number, maps: IdMaps | undefined): void {
  copyTree(sourceFd, targetFd, {
    keepsXattr: (name) => !OVERLAY_XATTR.test(name),
    ...(maps
      ? { owner: ({ uid, gid }) => ({ uid: hostId(uid, maps.uids), gid: hostId(gid, maps.gids) }) }
      : {}),
  });
}
