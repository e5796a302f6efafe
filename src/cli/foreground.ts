/**
 * A container in the foreground: its stdio on ours, signals passed on, its end as our end. What run,
 * start --attach and attach have in common.
 */
import { hasErrno, TsrunError } from "../base/errors.ts";
import {
  type AttachRequest,
  type AttachStream,
  type DetachKeys,
  type Engine,
  killContainer,
  stopContainer,
} from "../engine/index.ts";
import { type ExitStatus, exitStatusCode } from "../runtime/index.ts";
import { runSession } from "./terminal/session.ts";
import type { SignalProxy } from "./terminal/signal-proxy.ts";
import { terminalSize } from "./terminal/window-size.ts";

/** What a start is told of the client that is attached from the beginning. */
export function attachRequest({
  tty,
  interactive,
}: {
  readonly tty: boolean;
  readonly interactive: boolean;
}): AttachRequest {
  return { stdin: interactive, ...(tty ? terminalSize() : {}) };
}

export interface ForegroundOptions {
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly detachKeys: DetachKeys;
  /** Catches signals since the start; without `sigProxy`, or with a terminal, it now lets go of them. */
  readonly signals: SignalProxy;
  readonly sigProxy: boolean;
  /** Whether the container is stopped when whoever reads our output goes away, or only left. */
  readonly stopWhenUnread: boolean;
}

/** Resolves to tsrun's exit status. */
export async function attachToContainer(
  engine: Engine,
  id: string,
  attachment: AttachStream,
  options: ForegroundOptions,
): Promise<number> {
  const { tty, signals, sigProxy, stopWhenUnread } = options;
  if (tty || !sigProxy) signals[Symbol.dispose]();
  else signals.passTo((signal) => void passOn(engine, id, signal));
  const end = await runSession({
    streams: attachment,
    tty,
    interactive: options.interactive,
    detachKeys: options.detachKeys,
    exit: attachment.exit,
    detach: attachment.detach,
    onBrokenOutput: () => {
      if (stopWhenUnread) void stopUnread(engine, id);
      else attachment.detach();
    },
  });
  return end === "detached" ? 0 : statusOf(end);
}

function statusOf(end: Awaited<AttachStream["exit"]>): number {
  if (end.kind === "lost") throw end.error;
  return end.kind === "detached" ? 0 : exitStatusCode(end satisfies ExitStatus);
}

async function passOn(engine: Engine, id: string, signal: NodeJS.Signals): Promise<void> {
  try {
    await killContainer(engine, id, { signal });
  } catch (error) {
    if (!isOver(error)) throw error; // it ended first: its own end is reported
  }
}

/** A process of the host would die of SIGPIPE now; a container's PID 1 cannot, so it is stopped. */
const UNREAD_STOP_SECONDS = 0.5;

async function stopUnread(engine: Engine, id: string): Promise<void> {
  try {
    await stopContainer(engine, id, { timeoutSeconds: UNREAD_STOP_SECONDS });
  } catch (error) {
    if (!isOver(error)) throw error;
  }
}

function isOver(error: unknown): boolean {
  if (hasErrno(error, "ESRCH")) return true;
  return error instanceof TsrunError && ["WRONG_STATE", "NOT_FOUND"].includes(error.code);
}

/** A start that a signal ended has the signal's status; every other failure is thrown on. */
export function statusOfEndedStart(error: unknown, signals: SignalProxy): number {
  const aborted = error instanceof TsrunError && error.code === "ABORTED";
  if (!aborted || signals.endedBy === undefined) throw error;
  return exitStatusCode({ kind: "killed", signal: signals.endedBy });
}
