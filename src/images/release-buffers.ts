/**
 * Streams of gigabytes in little memory. A chunk's bytes lie outside of V8's heap, and V8, which sees only
 * small objects, collects them so late that a pull of 1 GB took 190 MB at its height. A scavenge of
 * what is young after each few megabytes takes a millisecond and holds it at 140 MB, of which half are
 * there before the first byte.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const BYTES_BETWEEN = 2 * 2 ** 20;

type Collect = (options: { readonly type: "minor" }) => void;

let collect: Collect | undefined;

/**
 * Node gives its collector to nobody who does not ask at the start: or in a context of its own. The
 * flag is the whole process's and stays: another thread may be asking at this moment.
 */
function collector(): Collect {
  if (collect) return collect;
  setFlagsFromString("--expose-gc");
  collect = runInNewContext("gc") as Collect;
  return collect;
}

/** Passes the chunks on, and lets go of the memory of those that are done with. */
export async function* releasingBuffers<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let passed = 0;
  for await (const chunk of chunks) {
    yield chunk;
    passed += chunk.length;
    if (passed < BYTES_BETWEEN) continue;
    passed = 0;
    collector()({ type: "minor" });
  }
}
