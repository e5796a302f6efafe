import { attachContainer, inspectContainer, parseDetachKeys } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { attachToContainer } from "../foreground.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [ref = ""] = operands;
  const detachKeys = parseDetachKeys(options.value("detach-keys") ?? "");
  const engine = openEngineFor(globals);
  const { config } = await inspectContainer(engine, ref);
  const { tty = false, interactive = false } = config.request;
  const attachment = await attachContainer(engine, config.id);
  using signals = new SignalProxy();
  return attachToContainer(engine, config.id, attachment, {
    ...{ tty, detachKeys, signals },
    interactive: interactive && !options.flag("no-stdin"),
    sigProxy: options.flag("sig-proxy"),
    stopWhenUnread: false,
  });
}
