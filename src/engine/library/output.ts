import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What happens to an output: kept and returned, written to a stream, to our own, or dropped. */
export type OutputChoice = "capture" | "inherit" | "ignore" | Writable;

/** What goes in: nothing, these bytes, or what a stream gives until its end. */
export type InputChoice = string | Uint8Array | Readable;

/** The bytes of a captured output; empty for one that went elsewhere. */
export async function takeOutput(
  stream: Readable,
  choice: OutputChoice,
  own: Writable,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (choice === "capture") {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } else if (choice === "ignore") {
    stream.resume();
  } else {
    await pipeline(stream, choice === "inherit" ? own : choice, { end: choice !== "inherit" });
  }
  return Buffer.concat(chunks);
}

/**
 * A process that ends without reading everything is no error: what is left stays in the stream. Nor is
 * a stream that breaks: it ends the input, as a broken pipe would.
 */
export async function giveInput(
  stdin: Writable,
  input: InputChoice,
  ended: Promise<unknown>,
): Promise<void> {
  if (typeof input === "string" || input instanceof Uint8Array) {
    stdin.end(input);
    return;
  }
  let over = false;
  const end = () => {
    over = true;
  };
  ended.then(end, end);
  try {
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      // Nobody reads any more: writes would be thrown away, as fast as the stream gives.
      if (over || !stdin.writable) return;
      if (!stdin.write(chunk)) await Promise.race([drained(stdin), ended]);
    }
  } catch {
    // The stream's owner hears of its error from the stream.
  }
  stdin.end();
}

function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stdin.off("drain", done);
      stdin.off("close", done);
      resolve();
    };
    stdin.on("drain", done);
    stdin.on("close", done);
  });
}
