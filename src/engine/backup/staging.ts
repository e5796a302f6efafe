/**
 * ROOT/restoring/*: where backups are unpacked. Nothing there is anybody's yet; a directory that nobody
 * has locked was left by a restore that was killed.
 */
import { closeSync, constants, mkdirSync, openSync, readdirSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { randomHex } from "../../base/random.ts";
import type { UndoStack } from "../../base/undo.ts";
import { removeTree, tryFlock } from "../../ffi/index.ts";
import type { Engine } from "../engine.ts";
import { inStore } from "../store/store-error.ts";

const { O_DIRECTORY, O_RDONLY } = constants;

function stagingDirectory(engine: Engine): string {
  return `${engine.root}/restoring`;
}

/** A new directory, which goes with all that is in it when `undo` ends. */
export function makeStaging(engine: Engine, undo: UndoStack): string {
  const path = `${stagingDirectory(engine)}/${randomHex(8)}`;
  return inStore("make", path, () => {
    makeDirectories(stagingDirectory(engine), 0o700);
    mkdirSync(path, { mode: 0o700 });
    undo.defer(() => removeTree(path));
    const fd = openSync(path, O_RDONLY | O_DIRECTORY);
    undo.defer(() => closeSync(fd));
    tryFlock(fd, "exclusive");
    return path;
  });
}

/** What killed restores have left. */
export function abandonedStagings(engine: Engine): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(stagingDirectory(engine));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
  return names.map((name) => `${stagingDirectory(engine)}/${name}`).filter(isFree);
}

function isFree(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false; // its restore has just ended
    throw error;
  }
  try {
    return tryFlock(fd, "exclusive");
  } finally {
    closeSync(fd);
  }
}
