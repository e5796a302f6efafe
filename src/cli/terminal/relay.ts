/**
 * Bytes between this process's stdio and a container's: unchanged, in order, at the pace of whoever is
 * slower. Nothing is lost at the end: every byte is with the kernel before tsrun ends.
 */
import type { Readable, Writable } from "node:stream";
import { hasErrno } from "../../base/errors.ts";
import type { DetachScanner } from "../../engine/index.ts";

/**
 * Copies until the source ends, and resolves when all is written. If whoever reads `target` goes away,
 * `onBroken` is told once and the rest of the source is read and thrown away.
 */
export function relayOutput(
  source: Readable,
  target: Writable,
  onBroken: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let broken = false;
    const breakOff = (error: Error) => {
      // EIO: the terminal has hung up.
      if (!hasErrno(error, "EPIPE", "EIO", "ERR_STREAM_DESTROYED")) return reject(error);
      if (broken) return;
      broken = true;
      source.unpipe(target);
      source.resume();
      onBroken();
      if (source.readableEnded) resolve();
    };
    target.on("error", breakOff);
    source.on("error", reject);
    source.on("end", () => {
      if (broken) resolve();
      else target.write("", (error) => (error ? breakOff(error) : resolve()));
    });
    source.pipe(target, { end: false });
  });
}

/** Copies what is typed or piped in; resolves "detached" at the detach keys, "ended" at the end. */
export async function relayInput(
  source: Readable,
  target: Writable,
  scanner: DetachScanner | undefined,
): Promise<"detached" | "ended"> {
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      const { data, detached } = scanner?.push(chunk) ?? { data: chunk, detached: false };
      if (data.length > 0) await write(target, data);
      if (detached) return "detached";
    }
  } catch (error) {
    if (!hasErrno(error, "EIO")) throw error; // the terminal has hung up: no more will be typed
  }
  const held = scanner?.flush();
  if (held && held.length > 0) await write(target, held);
  target.end();
  return "ended";
}

/** Waits for the target to have room again; one that is closed takes no more and holds up nobody. */
function write(target: Writable, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (target.destroyed || target.write(data)) return resolve();
    const done = () => {
      target.off("drain", done);
      target.off("close", done);
      resolve();
    };
    target.on("drain", done);
    target.on("close", done);
  });
}

/** Resolves when everything written so far is with the kernel. */
export function flushed(target: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    target.write("", (error) => (error ? reject(error) : resolve()));
  });
}
