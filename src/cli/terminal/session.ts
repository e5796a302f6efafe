/**
 * A container, or a process in one, on this process's stdin, stdout and stderr until it ends or the
 * user leaves.
 */

import type { Readable, Writable } from "node:stream";
import { isatty } from "node:tty";
import { type DetachKeys, DetachScanner } from "../../engine/index.ts";
import { RawMode } from "./raw-mode.ts";
import { relayInput, relayOutput } from "./relay.ts";
import { type TerminalSize, terminalSize } from "./window-size.ts";

export interface SessionStreams {
  readonly stdout?: Readable;
  readonly stderr?: Readable;
  readonly stdin?: Writable;
  readonly resize: (size: TerminalSize) => void;
}

export interface SessionOptions<End> {
  readonly streams: SessionStreams;
  /** It has a terminal of its own. */
  readonly tty: boolean;
  /** Whether our stdin is passed on. */
  readonly interactive: boolean;
  readonly detachKeys: DetachKeys;
  /** Settles when the other side has ended and given all its output. */
  readonly exit: Promise<End>;
  /** Leaves it running, after the detach keys. */
  readonly detach: () => void | Promise<void>;
  /** Whoever reads our stdout has gone. */
  readonly onBrokenOutput: () => void;
}

/** Resolves to how it ended, or to "detached". Rejects with what failed on our side. */
export async function runSession<End>(options: SessionOptions<End>): Promise<End | "detached"> {
  const { streams, tty, interactive, exit, detach, onBrokenOutput } = options;
  const resize = () => {
    const size = terminalSize();
    if (size) streams.resize(size);
  };
  using _raw = tty && interactive && isatty(0) ? new RawMode(0, resize) : undefined;
  if (tty) {
    process.on("SIGWINCH", resize);
    resize(); // it may have changed since the start
  }
  try {
    const outputs = [
      ...(streams.stdout ? [relayOutput(streams.stdout, process.stdout, onBrokenOutput)] : []),
      ...(streams.stderr ? [relayOutput(streams.stderr, process.stderr, () => {})] : []),
    ];
    const ended = Promise.all([exit, ...outputs]).then(([end]) => end);
    if (!interactive || !streams.stdin) return await ended;
    const scanner = tty ? new DetachScanner(options.detachKeys) : undefined;
    return await Promise.race([ended, leaveAtDetach(streams.stdin, scanner, detach)]);
  } finally {
    process.off("SIGWINCH", resize);
  }
}

/** Settles only at the detach keys: the end of the input is not the end of the session. */
async function leaveAtDetach(
  stdin: Writable,
  scanner: DetachScanner | undefined,
  detach: () => void | Promise<void>,
): Promise<"detached"> {
  const how = await relayInput(process.stdin, stdin, scanner);
  if (how === "ended") return new Promise(() => {});
  await detach();
  return "detached";
}
