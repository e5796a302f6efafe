import { pruneImagesAndCache } from "../../build/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const { images, freed } = await pruneImagesAndCache(engine, {
    all: options.flag("all"),
    versions: options.flag("versions"),
    buildCache: options.flag("build-cache"),
  });
  for (const id of images) printLine(id);
  printError(`Freed ${humanSize(freed, " ")}`);
}
