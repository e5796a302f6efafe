import { snapshotContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [ref = "", name] = operands;
  const snapshot = await snapshotContainer(openEngineFor(globals), ref, name);
  printLine(snapshot.name);
}
