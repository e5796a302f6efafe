import { ImageStore, tagImage } from "../../images/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [image = "", ...names] = operands;
  const store = new ImageStore(openEngineFor(globals).root);
  for (const name of names) await tagImage(store, image, name);
}
