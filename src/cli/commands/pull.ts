import { pullImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { ImageProgressView } from "../image-progress.ts";
import { printLine } from "../output.ts";
import { readPlatform, readRegistryAccess } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const access = { ...readRegistryAccess(options), ...readPlatform(options) };
  const engine = openEngineFor(globals);
  const quiet = options.flag("quiet");
  using signals = new SignalProxy();
  try {
    for (const name of operands) {
      using progress = new ImageProgressView({ quiet });
      const image = await pullImage(engine, name.replace(/^docker:\/\//, ""), {
        ...access,
        signal: signals.startSignal,
        onSource: progress.source,
        onProgress: progress.blob,
      });
      progress[Symbol.dispose]();
      printLine(image.id);
    }
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
