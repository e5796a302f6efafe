/**
 * A process that this one stays with: signals are passed on to it, and with a terminal, what is typed and
 * shown goes between its terminal and ours.
 */
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { isatty, ReadStream } from "node:tty";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import {
  cfmakeraw,
  readWindowSize,
  receiveFds,
  socketpair,
  tcgetattr,
  tcsetattr,
  waitReadable,
  writeWindowSize,
} from "../ffi/index.ts";
import type { ExitStatus, Launch } from "../runtime/index.ts";
import type { ConsoleChoice } from "./console.ts";

/** Everything that can be caught but what concerns this process alone. */
const NOT_FORWARDED = new Set(["SIGKILL", "SIGSTOP", "SIGCHLD", "SIGPIPE", "SIGURG", "SIGPROF"]);

/** `start` resolves when the process runs. */
export async function inForeground(
  terminal: boolean,
  start: (console: ConsoleChoice) => Promise<Launch>,
): Promise<ExitStatus> {
  await using undo = new UndoStack();
  if (!terminal) {
    const launched = await start({ kind: "socket", path: undefined });
    return waitForEnd(launched, undo);
  }
  if (!isatty(0)) {
    throw new TsrunError("INVALID_ARGUMENT", "open /dev/tty: no such device or address");
  }
  const [ours, theirs] = socketpair();
  undo.defer(() => closeSync(ours));
  const started = start({ kind: "descriptor", fd: theirs }).finally(() => closeSync(theirs));
  const master = await receiveMaster(ours, started);
  const shown = relay(master, undo);
  const status = await waitForEnd(await started, undo);
  await shown;
  return status;
}

async function receiveMaster(socket: number, started: Promise<unknown>): Promise<number> {
  // A start that fails rejects first; one that goes well has sent it before.
  await Promise.race([waitReadable(socket), started]);
  const [fd] = receiveFds(socket)?.fds ?? [];
  if (fd !== undefined) return fd;
  await started;
  throw new TsrunError("LAUNCH_FAILED", "the process sent no terminal");
}

/** Resolves when all that the process wrote is shown. */
function relay(master: number, undo: UndoStack): Promise<void> {
  const before = tcgetattr(0);
  tcsetattr(0, cfmakeraw(before));
  undo.defer(() => tcsetattr(0, before));
  const resize = () => writeWindowSize(master, readWindowSize(0));
  resize();
  process.on("SIGWINCH", resize);
  const theirs = new ReadStream(master);
  process.stdin.pipe(theirs, { end: false });
  theirs.pipe(process.stdout, { end: false });
  undo.defer(() => {
    process.off("SIGWINCH", resize);
    process.stdin.pause();
    theirs.destroy();
  });
  return new Promise((done) => {
    // A master whose last slave is closed reads EIO: that is its end.
    theirs.on("error", () => done());
    theirs.on("close", () => done());
  });
}

async function waitForEnd(launched: Launch, undo: UndoStack): Promise<ExitStatus> {
  const pid = await launched.running;
  for (const [name, number] of Object.entries(constants.signals)) {
    if (NOT_FORWARDED.has(name) || name === "SIGWINCH") continue;
    const forward = () => forwardTo(pid, number);
    try {
      process.on(name as NodeJS.Signals, forward);
    } catch {
      continue; // one that Node keeps to itself
    }
    undo.defer(() => {
      process.off(name as NodeJS.Signals, forward);
    });
  }
  return launched.exited;
}

function forwardTo(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error; // it has just ended
  }
}
