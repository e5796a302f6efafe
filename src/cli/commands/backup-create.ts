import { backupContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = "", file = ""] = operands;
  const since = options.value("incremental-since");
  const id = await backupContainer(openEngineFor(globals), ref, file, {
    withImage: options.flag("with-image"),
    ...(since === undefined ? {} : { since }),
  });
  printLine(id);
}
