import { writeFileAtomic } from "../../base/atomic-file.ts";
import { TsrunError } from "../../base/errors.ts";
import { commitContainer } from "../../engine/index.ts";
import { parseImageChange } from "../../images/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { parseCompression } from "../options/compression.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [ref = "", name] = operands;
  const author = options.value("author");
  const message = options.value("message");
  const iidfile = options.value("iidfile");
  const changes = options.list("change").map(parseImageChange);
  const compression = parseCompression(options);
  const engine = openEngineFor(globals);
  using signals = new SignalProxy();
  try {
    const image = await commitContainer(engine, ref, {
      ...(name === undefined ? {} : { name }),
      ...(author === undefined ? {} : { author }),
      ...(message === undefined ? {} : { message }),
      ...{ changes, compression, signal: signals.startSignal },
      pause: options.flag("pause"),
      squash: options.flag("squash"),
    });
    if (iidfile !== undefined) writeIdFile(iidfile, image.id);
    if (!options.flag("quiet") && name !== undefined) {
      printError(`Committed ${ref} as ${image.names.join(", ")}`);
    }
    printLine(image.id);
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}

function writeIdFile(path: string, id: string): void {
  try {
    writeFileAtomic(path, id);
  } catch (cause) {
    throw new TsrunError("STORE_UNAVAILABLE", `cannot write the --iidfile "${path}"`, {
      hint: `The image is stored: ${id}`,
      cause,
      origin: "--iidfile",
    });
  }
}
