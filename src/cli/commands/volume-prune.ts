import { listVolumes, pruneVolumes } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { askYesNo } from "../terminal/ask.ts";
import { parseVolumeFilters } from "../views/volume-view.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const filters = parseVolumeFilters(options.list("filter"));
  if (!options.flag("force")) {
    const names = listVolumes(engine, { ...filters, dangling: ["true"] }).map(({ name }) => name);
    if (names.length === 0) return;
    printError(
      `No container uses these volumes; what is in them will be lost:\n${names.join("\n")}`,
    );
    if (!(await askYesNo("Remove them? [y/N] "))) return;
  }
  const { names, freed } = await pruneVolumes(engine, filters);
  for (const name of names) printLine(name);
  printError(`Freed ${humanSize(freed, " ")}`);
}
