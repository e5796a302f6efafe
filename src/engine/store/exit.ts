/**
 * ROOT/containers/ID/exit.json belongs to the last run that began: a start puts the record of the run
 * before aside, so that the file, once it is there again, is the new run's.
 */
import { renameSync, rmSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { containerPaths, type Engine } from "../engine.ts";
import type { ContainerId } from "../records.ts";
import { inStore } from "./store-error.ts";

export function setPreviousExitAside(engine: Engine, id: ContainerId): void {
  const { exit } = containerPaths(engine, id);
  faultPoint();
  renameIfThere(exit, aside(exit));
}

/** For a start that came to nothing: the container is what it was before. */
export function restorePreviousExit(engine: Engine, id: ContainerId): void {
  const { exit } = containerPaths(engine, id);
  faultPoint();
  renameIfThere(aside(exit), exit);
}

export function forgetPreviousExit(engine: Engine, id: ContainerId): void {
  const path = aside(containerPaths(engine, id).exit);
  inStore("remove", path, () => rmSync(path, { force: true }));
}

function aside(exit: string): string {
  return `${exit}.before`;
}

function renameIfThere(from: string, to: string): void {
  inStore("rename", from, () => {
    try {
      renameSync(from, to);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  });
}
