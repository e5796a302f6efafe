/**
 * ROOT/names/NAME → ID: a name is taken by making the symbolic link, which only one can. A link
 * counts while the container's record says the same name; another one was left by a killed command,
 * and whoever wants the name may take it over.
 */
import { readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { isContainerId } from "../container-id.ts";
import { type Engine, namesDirectory } from "../engine.ts";
import type { ContainerId } from "../records.ts";
import { readConfig } from "./config.ts";
import { lockShared, tryLockContainer } from "./lock.ts";
import { inStore, storeError } from "./store-error.ts";

/**
 * Takes the name for the container, whose lock the caller holds; false if another container has it.
 */
export async function takeName(engine: Engine, name: string, id: ContainerId): Promise<boolean> {
  if (linkName(engine, name, id)) return true;
  // Two that both saw a stale link would otherwise remove each other's new one.
  using _one = await lockShared(engine, "names");
  const holder = readNameLink(engine, name);
  if (holder !== undefined && !isStaleLink(engine, name, holder)) return false;
  releaseName(engine, name);
  return linkName(engine, name, id);
}

function linkName(engine: Engine, name: string, id: ContainerId): boolean {
  const path = namePath(engine, name);
  return inStore("take the name", path, () => {
    try {
      symlinkSync(id, path);
    } catch (error) {
      if (hasErrno(error, "EEXIST")) return false;
      if (!hasErrno(error, "ENOENT")) throw error;
      makeDirectories(namesDirectory(engine), 0o700);
      return linkName(engine, name, id);
    }
    return true;
  });
}

/** The link of a container that is just being made or renamed is not stale: its lock is held. */
export function isStaleLink(engine: Engine, name: string, holder: ContainerId): boolean {
  const lock = tryLockContainer(engine, holder);
  if (lock === "gone") return true;
  if (lock === "held") return false;
  using _held = lock;
  return readConfig(engine, holder)?.name !== name;
}

export function releaseName(engine: Engine, name: string): void {
  const path = namePath(engine, name);
  inStore("release the name", path, () => rmSync(path, { force: true }));
}

/** Where the link leads, or undefined. It may be stale. */
export function readNameLink(engine: Engine, name: string): ContainerId | undefined {
  const path = namePath(engine, name);
  try {
    const target = readlinkSync(path);
    return isContainerId(target) ? target : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EINVAL", "ENAMETOOLONG", "ENOTDIR")) return undefined;
    throw storeError("read", path, error);
  }
}

export function listNames(engine: Engine): string[] {
  try {
    return readdirSync(namesDirectory(engine));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw storeError("read", namesDirectory(engine), error);
  }
}

export function nameInUse(name: string): TsrunError {
  return new TsrunError("NAME_IN_USE", `the name "${name}" belongs to another container`, {
    hint: `Choose another name, or remove that container with \`tsrun rm ${name}\`.`,
  });
}

function namePath(engine: Engine, name: string): string {
  return `${namesDirectory(engine)}/${name}`;
}
