/**
 * --output: an archive goes to a file, or to stdout, which must be no terminal.
 */
import { createWriteStream, existsSync, openSync, rmSync } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { flushed } from "./terminal/relay.ts";

/** A file that was not there before does not stay half written. Throws what `write` throws. */
export async function writeOutput(
  path: string | undefined,
  write: (output: Writable) => Promise<void>,
): Promise<void> {
  if (path === undefined) {
    if (process.stdout.isTTY) {
      throw new TsrunError("INVALID_ARGUMENT", "an archive is not for a terminal", {
        hint: "Use --output FILE, or a pipe.",
      });
    }
    await write(process.stdout);
    await flushed(process.stdout);
    return;
  }
  const wasThere = existsSync(path);
  const file = createWriteStream(path, { fd: openOutput(path) });
  try {
    await write(file);
    file.end();
    await finished(file);
  } catch (error) {
    file.destroy();
    if (!wasThere) rmSync(path, { force: true });
    throw error;
  }
}

function openOutput(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ETXTBSY", "ENXIO")) throw error;
    throw new TsrunError("INVALID_ARGUMENT", `cannot write to "${path}"`, {
      hint: "Name a file in a directory that is there.",
      cause: error,
      origin: "--output",
    });
  }
}
