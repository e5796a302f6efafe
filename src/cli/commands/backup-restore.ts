import { restoreBackup } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseContainerName } from "../options/identity.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const name = options.value("name");
  const { id } = await restoreBackup(openEngineFor(globals), operands, {
    ...(name === undefined ? {} : { name: parseContainerName("--name", name) }),
    ignoreVolumes: options.flag("ignore-volumes"),
  });
  printLine(id);
}
