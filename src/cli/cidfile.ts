/**
 * --cidfile: the new container's id in a file that was not there before.
 */
import { existsSync, linkSync, rmSync, writeFileSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";

/** Said before anything is made. */
export function checkCidfile(path: string): void {
  if (existsSync(path)) throw exists(path);
}

/** The file appears with the id in it; it never replaces one that came meanwhile. link(2). */
export function writeCidfile(path: string, id: string): void {
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(unfinished, id, { flag: "wx" });
    linkSync(unfinished, path);
  } catch (error) {
    if (hasErrno(error, "EEXIST")) throw exists(path);
    throw new TsrunError("STORE_UNAVAILABLE", `cannot write the --cidfile "${path}"`, {
      hint: "Name a file in a directory that you may write to.",
      cause: error,
      origin: "--cidfile",
    });
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function exists(path: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `invalid value "${path}" for --cidfile: it exists`, {
    hint: "Remove it, or name another file.",
    origin: "--cidfile",
  });
}
