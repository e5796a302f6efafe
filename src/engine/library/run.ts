/**
 * A container for one command: made, run to its end, and gone.
 */
import { TsrunError } from "../../base/errors.ts";
import { type ExitStatus, exitStatusCode } from "../../runtime/index.ts";
import type { AttachStream } from "../attach/index.ts";
import { isGone } from "../container.ts";
import type { Engine } from "../engine.ts";
import { exitOfAttachment } from "../exit.ts";
import { killContainer } from "../kill.ts";
import type { ContainerId } from "../records.ts";
import type { ContainerRequest } from "../request.ts";
import { runContainer } from "../run.ts";
import { bringImage, type PullChoice } from "./images.ts";
import { engineFor, type StoreOptions } from "./options.ts";
import { giveInput, type InputChoice, type OutputChoice, takeOutput } from "./output.ts";

/** The options of `tsrun run --rm`, and what goes in and comes out. */
export interface RunOptions extends Omit<ContainerRequest, "remove">, PullChoice, StoreOptions {
  /** Written to the command's stdin, which then ends. Without it stdin is empty. */
  readonly input?: InputChoice;
  /** "capture" without it. */
  readonly stdout?: OutputChoice;
  readonly stderr?: OutputChoice;
  /** Kills the container, removes it, and rejects with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** As a shell counts it: the exit code, or 128 and the signal's number. */
  readonly status: number;
  readonly exit: ExitStatus;
  /** UTF-8; "" unless captured. A terminal's output is all stdout. */
  readonly stdout: string;
  readonly stderr: string;
  /** The same as bytes. */
  readonly bytes: { readonly stdout: Buffer; readonly stderr: Buffer };
  /** What the kernel refused and the container could do without. */
  readonly warnings: readonly string[];
}

/**
 * Runs a command in a new container and removes it. A command that fails is a result, not an error.
 * Rejects with COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, NOT_FOUND (the image), INVALID_ARGUMENT,
 * LAUNCH_FAILED …; nothing of the container is left then.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const { input, stdout = "capture", stderr = "capture", signal, ...rest } = options;
  const { root: _root, runRoot: _runRoot, onWarning: _onWarning, pull: _pull, ...asked } = rest;
  const request = await bringImage(options, asked, options, signal);
  const engine = engineFor(options);
  const started = await runContainer(
    engine,
    { ...request, remove: true, interactive: input !== undefined },
    { attach: { stdin: input !== undefined }, throwaway: true, ...(signal ? { signal } : {}) },
  );
  const attachment = started.attachment as AttachStream;
  using _aborting = killOnAbort(engine, started.id, signal);
  if (input !== undefined) void giveInput(attachment.stdin, input, attachment.exit);
  const [end, out, err] = await Promise.all([
    attachment.exit,
    takeOutput(attachment.stdout, stdout, process.stdout),
    takeOutput(attachment.stderr, stderr, process.stderr),
  ]);
  if (signal?.aborted) throw aborted("container", signal);
  if (end.kind === "lost") throw end.error;
  const exit = exitOfAttachment(end) ?? { kind: "exited", code: 0 };
  return {
    status: exitStatusCode(exit),
    exit,
    stdout: out.toString(),
    stderr: err.toString(),
    bytes: { stdout: out, stderr: err },
    warnings: started.warnings,
  };
}

function killOnAbort(engine: Engine, id: ContainerId, signal: AbortSignal | undefined): Disposable {
  const kill = () => {
    killContainer(engine, id, { signal: "SIGKILL", all: true }).catch((error: unknown) => {
      const ended = isGone(error) || (error instanceof TsrunError && error.code === "WRONG_STATE");
      if (!ended) engine.warn(`cannot kill the aborted container "${id}": ${String(error)}`);
    });
  };
  if (signal?.aborted) kill();
  else signal?.addEventListener("abort", kill, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", kill) };
}

export function aborted(what: "container" | "command", signal: AbortSignal): TsrunError {
  return new TsrunError("ABORTED", `the ${what} was killed: its AbortSignal fired`, {
    cause: signal.reason,
  });
}
