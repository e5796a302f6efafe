import { renameContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseContainerName } from "../options/identity.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [ref = "", name = ""] = operands;
  await renameContainer(openEngineFor(globals), ref, parseContainerName("NAME", name));
}
