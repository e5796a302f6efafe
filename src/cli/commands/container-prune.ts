import { listPrunableContainers, pruneContainers } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseFilters } from "../filters.ts";
import { humanSize } from "../format/human.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { askYesNo } from "../terminal/ask.ts";

const FILTERS = ["name", "label", "ancestor", "exited"] as const;

export async function run({ options, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const filters = parseFilters(options.list("filter"), FILTERS);
  if (!options.flag("force")) {
    const found = await listPrunableContainers(engine, filters);
    if (found.length === 0) return;
    const names = found.map(({ config }) => config.name).join("\n");
    printError(`These containers do not run; what they have written will be lost:\n${names}`);
    if (!(await askYesNo("Remove them? [y/N] "))) return;
  }
  const { ids, freed } = await pruneContainers(engine, filters);
  for (const id of ids) printLine(id);
  printError(`Freed ${humanSize(freed, " ")}`);
}
