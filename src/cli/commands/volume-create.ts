import { createVolume } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
import { parseLabel } from "../options/labels.ts";
import { parseVolumeOption } from "../options/volume-options.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  parseChoice("--driver", options.value("driver") ?? "local", ["local"]);
  const [name] = operands;
  const made = await createVolume(openEngineFor(globals), {
    ...(name === undefined ? {} : { name }),
    labels: Object.fromEntries(options.list("label").map((text) => parseLabel("--label", text))),
    options: Object.fromEntries(options.list("opt").map(parseVolumeOption)),
    ignoreExisting: options.flag("ignore"),
  });
  printLine(made);
}
