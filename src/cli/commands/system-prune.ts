import { pruneImagesAndCache } from "../../build/index.ts";
import { pruneContainers, pruneVolumes } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import type { OptionValues } from "../option-values.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { askYesNo } from "../terminal/ask.ts";

/** Containers first: images and volumes are free without them. */
export async function run({ options, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const wanted = wantedOf(options);
  if (!options.flag("force")) {
    printError(`This removes:\n${wanted.map((what) => `- ${what}`).join("\n")}`);
    if (!(await askYesNo("Go on? [y/N] "))) return;
  }
  const containers = await pruneContainers(engine);
  printDeleted("Containers", containers.ids);
  const volumes = options.flag("volumes") ? await pruneVolumes(engine) : { names: [], freed: 0 };
  printDeleted("Volumes", volumes.names);
  const images = await pruneImagesAndCache(engine, {
    all: options.flag("all"),
    buildCache: options.flag("build-cache"),
  });
  printDeleted("Images", images.images);
  const freed = containers.freed + volumes.freed + images.freed;
  printError(`Freed ${humanSize(freed, " ")}`);
}

function wantedOf(options: OptionValues): readonly string[] {
  return [
    "all containers that do not run, with what they have written",
    options.flag("all")
      ? "all images that no container was made from"
      : "all images without a name",
    ...(options.flag("volumes")
      ? ["all volumes that no container uses, with what is in them"]
      : []),
    ...(options.flag("build-cache") ? ["what builds keep for the next one"] : []),
  ];
}

function printDeleted(what: string, names: readonly string[]): void {
  if (names.length > 0) printLine(`Deleted ${what}\n${names.join("\n")}`);
}
