import { TsrunError } from "../../base/errors.ts";
import {
  inspectContainer,
  parseDetachKeys,
  removeContainer,
  startContainer,
} from "../../engine/index.ts";
import { forEachOf } from "../each.ts";
import { openEngineFor, warn } from "../engine-context.ts";
import { attachRequest, attachToContainer, statusOfEndedStart } from "../foreground.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run(call: CommandCall): Promise<number> {
  const { options, operands, globals } = call;
  if (options.flag("attach") || options.flag("interactive")) return startAttached(call);
  const engine = openEngineFor(globals);
  await forEachOf(operands, async (ref) => {
    const { warnings } = await startContainer(engine, ref);
    for (const text of warnings) warn(globals, text);
    return ref;
  });
  return 0;
}

async function startAttached({ options, operands, globals }: CommandCall): Promise<number> {
  const [ref = "", ...others] = operands;
  if (others.length > 0) {
    throw new TsrunError("INVALID_ARGUMENT", "only one container can be attached to", {
      hint: "Name one container, or leave out --attach and --interactive.",
    });
  }
  const detachKeys = parseDetachKeys(options.value("detach-keys") ?? "");
  const engine = openEngineFor(globals);
  const { config } = await inspectContainer(engine, ref);
  const { tty = false, remove = false } = config.request;
  const interactive = options.flag("interactive") && (config.request.interactive ?? false);
  using signals = new SignalProxy();
  try {
    const { id, attachment, warnings } = await startContainer(engine, config.id, {
      attach: attachRequest({ tty, interactive }),
      signal: signals.startSignal,
    });
    for (const text of warnings) warn(globals, text);
    if (!attachment) throw new Error("the engine gave no attachment");
    const status = await attachToContainer(engine, id, attachment, {
      ...{ tty, interactive, detachKeys, signals },
      sigProxy: options.flag("sig-proxy"),
      stopWhenUnread: false,
    });
    // After a detach it runs on, and the next command that sees it ended removes it.
    const end = await attachment.exit;
    if (remove && end.kind !== "detached") {
      await removeContainer(engine, id, { ignoreMissing: true });
    }
    return status;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
