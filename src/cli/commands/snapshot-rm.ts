import { removeSnapshot } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [ref = "", ...names] = operands;
  const engine = openEngineFor(globals);
  for (const name of names) {
    await removeSnapshot(engine, ref, name);
    printLine(name);
  }
}
