import { restoreContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [ref = "", name = ""] = operands;
  await restoreContainer(openEngineFor(globals), ref, name);
  printLine(ref);
}
