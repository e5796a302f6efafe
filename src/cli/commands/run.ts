import { parseDetachKeys, type RunOptions, runContainer } from "../../engine/index.ts";
import { checkCidfile, writeCidfile } from "../cidfile.ts";
import { readContainerRequest } from "../container-request.ts";
import { note, openEngineFor, warn } from "../engine-context.ts";
import { attachRequest, attachToContainer, statusOfEndedStart } from "../foreground.ts";
import { printLine } from "../output.ts";
import { bringImage } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { warnOfPipedInput } from "../terminal/piped-input.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const { request, notes } = readContainerRequest(options, operands);
  const detachKeys = parseDetachKeys(options.value("detach-keys") ?? "");
  const cidfile = options.value("cidfile");
  if (cidfile !== undefined) checkCidfile(cidfile);
  for (const text of notes) note(globals, text);
  const engine = openEngineFor(globals);
  const { tty = false, interactive = false } = request;
  if (!options.flag("detach")) warnOfPipedInput(globals, { tty, interactive });
  using signals = new SignalProxy();
  const start: RunOptions = {
    signal: signals.startSignal,
    ...(options.flag("detach") ? {} : { attach: attachRequest({ tty, interactive }) }),
    ...(cidfile === undefined ? {} : { onCreated: (id) => writeCidfile(cidfile, id) }),
  };
  try {
    const ready = await bringImage(engine, request, { options, signal: signals.startSignal });
    const { id, attachment, warnings } = await runContainer(engine, ready, start);
    for (const text of warnings) warn(globals, text);
    if (!attachment) {
      printLine(id);
      return 0;
    }
    const sigProxy = options.flag("sig-proxy");
    return await attachToContainer(engine, id, attachment, {
      ...{ tty, interactive, detachKeys, signals, sigProxy },
      stopWhenUnread: sigProxy,
    });
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
