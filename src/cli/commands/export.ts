import { exportContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { writeOutput } from "../output-file.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [ref = ""] = operands;
  const engine = openEngineFor(globals);
  using signals = new SignalProxy();
  try {
    await writeOutput(options.value("output"), (output) =>
      exportContainer(engine, ref, output, { signal: signals.startSignal }),
    );
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}
