import { writeFileSync } from "node:fs";
import { completeImageName, pushImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { ImageProgressView } from "../image-progress.ts";
import { printError } from "../output.ts";
import { readRegistryAccess } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [image = "", destination = image] = operands;
  const access = readRegistryAccess(options);
  const engine = openEngineFor(globals);
  const quiet = options.flag("quiet");
  const digestFile = options.value("digestfile");
  using signals = new SignalProxy();
  try {
    using progress = new ImageProgressView({ quiet });
    const name = await completeImageName(engine, image);
    const pushed = await pushImage(engine, name, destination === image ? name : destination, {
      ...access,
      signal: signals.startSignal,
      onProgress: progress.blob,
    });
    progress[Symbol.dispose]();
    if (!quiet) printError(`Pushed ${pushed.name}@${pushed.digest}`);
    if (digestFile !== undefined) writeFileSync(digestFile, pushed.digest);
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
