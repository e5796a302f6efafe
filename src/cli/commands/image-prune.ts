import { pruneCacheMounts } from "../../build/index.ts";
import { pruneImages } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const buildCache = options.flag("build-cache");
  const mounts = buildCache ? pruneCacheMounts(engine) : 0;
  const { images, freed } = await pruneImages(engine, {
    all: options.flag("all"),
    versions: options.flag("versions"),
    buildCache,
  });
  for (const id of images) printLine(id);
  printError(`Freed ${humanSize(freed + mounts, " ")}`);
}
