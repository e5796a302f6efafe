/**
 * ROOT/mount-points: the lowest layer of every image's root. It has what the container's own mounts are
 * mounted on and nothing else. An image that lacks /etc/hosts or /proc would otherwise have it made in
 * the container's writable layer, a copy of /etc with it, at every start.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { type Engine, mountPointsDirectory } from "./engine.ts";
import { inStore } from "./store/store-error.ts";

const DIRECTORIES = ["dev", "proc", "sys", "etc", "run"];
const FILES = ["etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv"];
const [LAST_MADE] = FILES.slice(-1);

/** Its directory, or undefined as long as no container was made from an image. */
export function findMountPoints(engine: Engine): string | undefined {
  const directory = mountPointsDirectory(engine);
  return existsSync(`${directory}/${LAST_MADE}`) ? directory : undefined;
}

/** Makes what is missing of it: whoever is killed meanwhile leaves it to the next. */
export function makeMountPoints(engine: Engine): void {
  if (findMountPoints(engine) !== undefined) return;
  const directory = mountPointsDirectory(engine);
  inStore("make", directory, () => {
    makeDirectories(directory, 0o711);
    for (const name of DIRECTORIES) makeReadable(`${directory}/${name}`);
    for (const name of FILES) makeEmptyFile(`${directory}/${name}`);
  });
}

/** The container sees their modes: the caller's umask must not be in them. */
function makeReadable(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
  chmodSync(path, 0o755);
}

function makeEmptyFile(path: string): void {
  closeSync(openSync(path, "a"));
  chmodSync(path, 0o644);
}
