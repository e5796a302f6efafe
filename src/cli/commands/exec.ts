import { isatty } from "node:tty";
import {
  type ExecRequest,
  type ExecSession,
  execInContainer,
  parseDetachKeys,
} from "../../engine/index.ts";
import { exitStatusCode } from "../../runtime/index.ts";
import { readEnv } from "../container-request.ts";
import { openEngineFor, warn } from "../engine-context.ts";
import { parseUser, parseWorkdir } from "../options/identity.ts";
import { parseCapabilities } from "../options/security.ts";
import type { CommandCall } from "../table/types.ts";
import { warnOfPipedInput } from "../terminal/piped-input.ts";
import { runSession } from "../terminal/session.ts";
import { terminalSize } from "../terminal/window-size.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [ref = "", ...args] = operands;
  const user = options.value("user");
  const workdir = options.value("workdir");
  const tty = options.flag("tty");
  const interactive = options.flag("interactive");
  const detachKeys = parseDetachKeys(options.value("detach-keys") ?? "");
  const request: ExecRequest = {
    args,
    env: Object.fromEntries(readEnv(options, { host: false })),
    ...(user === undefined ? {} : { user: parseUser("--user", user) }),
    ...(workdir === undefined ? {} : { workdir: parseWorkdir("--workdir", workdir) }),
    ...{ tty, interactive, detach: options.flag("detach"), privileged: options.flag("privileged") },
    capAdd: parseCapabilities("--cap-add", options.list("cap-add")),
    ...(tty ? terminalSize() : {}),
  };
  if (!request.detach) warnOfPipedInput(globals, { tty, interactive });
  const engine = openEngineFor(globals);
  // Without a terminal in between, the process gets our descriptors themselves: no byte is copied.
  const stdio = handsOverStdio(interactive) ? "inherit" : "pipe";
  const session = await execInContainer(engine, ref, request, { stdio });
  for (const text of session.warnings) warn(globals, text);
  const end = await runSession({
    streams: session,
    ...{ tty, interactive, detachKeys },
    exit: session.exit,
    detach: session.detach,
    onBrokenOutput: () => closeOutputs(session),
  });
  return end === "detached" ? 0 : exitStatusCode(end);
}

/** A terminal of the host's is never handed into a container: it could be typed into (TIOCSTI). */
function handsOverStdio(interactive: boolean): boolean {
  return !isatty(1) && !isatty(2) && !(interactive && isatty(0));
}

/** The process then meets EPIPE itself. */
function closeOutputs({ stdout, stderr }: ExecSession): void {
  stdout?.destroy();
  stderr?.destroy();
}
