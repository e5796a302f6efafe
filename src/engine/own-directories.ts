/**
 * The directories of a user who is not root, as the XDG base directory specification has them.
 */
import { lstatSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where things are kept unless somebody says otherwise. */
export interface StandardDirectories {
  readonly root: string;
  readonly runRoot: string;
  /** Run roots of other roots. */
  readonly otherRunRoots: string;
}

export function ownDirectories(): StandardDirectories {
  return planOwnDirectories({ ...process.env, HOME: homedir() }, readRuntimeDirectory());
}

/** `runtime` ends with the session or the boot; without one there is nothing but the root. */
export function planOwnDirectories(
  { HOME = "/", XDG_DATA_HOME }: Readonly<Record<string, string | undefined>>,
  runtime: string | undefined,
): StandardDirectories {
  const root = join(XDG_DATA_HOME || join(HOME, ".local/share"), "tsrun");
  const beside = runtime ?? join(root, "run");
  return {
    root,
    runRoot: join(beside, "tsrun"),
    otherRunRoots: join(beside, "tsrun-roots"),
  };
}

/**
 * $XDG_RUNTIME_DIR, which sudo(8) and su(1) take away or leave as another user's; then the one that
 * logind has made, if it is there. One user's commands have to agree on it, however each was started.
 */
export function readRuntimeDirectory(): string | undefined {
  const uid = process.geteuid?.();
  const candidates = [process.env["XDG_RUNTIME_DIR"], `/run/user/${uid}`];
  return candidates.find((path) => {
    const stat = path ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    return stat?.isDirectory() && stat.uid === uid;
  });
}
