import { loadImages } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { ImageProgressView } from "../image-progress.ts";
import { printLine } from "../output.ts";
import { readPlatform } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, globals }: CommandCall): Promise<number> {
  const platform = readPlatform(options);
  const engine = openEngineFor(globals);
  using signals = new SignalProxy();
  try {
    using progress = new ImageProgressView({ quiet: options.flag("quiet") });
    const images = await loadImages(engine, options.value("input") ?? "-", {
      ...platform,
      signal: signals.startSignal,
      onProgress: progress.blob,
    });
    progress[Symbol.dispose]();
    for (const { id, names } of images) printLine(`Loaded image: ${names.join(", ") || id}`);
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
