import { tagImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [image = "", ...names] = operands;
  const engine = openEngineFor(globals);
  for (const name of names) await tagImage(engine, image, name);
}
