import { completeImageName, tagImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [image = "", ...names] = operands;
  const engine = openEngineFor(globals);
  const ref = await completeImageName(engine, image);
  for (const name of names) await tagImage(engine, ref, name);
}
