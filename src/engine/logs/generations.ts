/**
 * A log and its rotated predecessors (PATH.1 is the youngest of them), held open. A file keeps its inode
 * when it is renamed, so an open file is known again whatever it is called meanwhile.
 */
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { hasErrno, TsrunError } from "../../base/errors.ts";

export interface Generation {
  readonly handle: FileHandle;
  readonly dev: bigint;
  readonly ino: bigint;
  /** When it was last written, nanoseconds since 1970. */
  readonly modified: bigint;
}

/**
 * All generations younger than `after` (all there are without it), oldest first, each once. The
 * supervisor may rotate meanwhile: names only ever move up, and so does the search, so none is missed.
 * Throws STORE_UNAVAILABLE if one cannot be opened.
 */
export async function openGenerations(path: string, after?: Generation): Promise<Generation[]> {
  const found: Generation[] = [];
  try {
    // A rotation renames from the oldest down; while it is under way one number is missing.
    for (let number = 0, missing = 0; missing < 2; number++) {
      const generation = await openGeneration(number === 0 ? path : `${path}.${number}`);
      missing = generation === undefined ? missing + 1 : 0;
      if (generation === undefined) continue;
      const reached = after !== undefined && isSame(generation, after);
      if (reached || found.some((known) => isSame(known, generation))) {
        await generation.handle.close();
      } else {
        found.push(generation);
      }
      if (reached) break;
    }
  } catch (error) {
    await closeGenerations(found);
    throw error;
  }
  return found.reverse();
}

export async function closeGenerations(generations: readonly Generation[]): Promise<void> {
  for (const { handle } of generations) await handle.close();
}

/** Whether the log's plain name is another file now; no file of that name is none. */
export async function hasRotated(path: string, current: Generation): Promise<boolean> {
  try {
    return !isSame(await stat(path, { bigint: true }), current);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false; // between two renames, or removed with its container
    throw cannotRead(path, error);
  }
}

function isSame(a: { dev: bigint; ino: bigint }, b: { dev: bigint; ino: bigint }): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

async function openGeneration(path: string): Promise<Generation | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const { dev, ino, mtimeNs } = await handle.stat({ bigint: true });
    return { handle, dev, ino, modified: mtimeNs };
  } catch (error) {
    await handle?.close();
    if (hasErrno(error, "ENOENT")) return undefined;
    throw cannotRead(path, error);
  }
}

export function cannotRead(path: string, cause: unknown): TsrunError {
  const { code } = cause as { code?: string };
  return new TsrunError("STORE_UNAVAILABLE", `cannot read the log "${path}": ${code}`, {
    cause,
    ...(code === undefined ? {} : { errno: code }),
  });
}
