import { pruneImages } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const { images, freed } = await pruneImages(openEngineFor(globals), {
    all: options.flag("all"),
    versions: options.flag("versions"),
  });
  for (const id of images) printLine(id);
  printError(`Freed ${humanSize(freed, " ")}`);
}
