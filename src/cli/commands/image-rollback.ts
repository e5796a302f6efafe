import { completeImageName, promoteImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const { name, version } = await promoteImage(
    engine,
    await completeImageName(engine, operands[0] ?? ""),
  );
  printLine(`${name}@${version}`);
}
