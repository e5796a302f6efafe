import { importVolume } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const [ref = "", source = "-"] = operands;
  await importVolume(openEngineFor(globals), ref, source === "-" ? process.stdin : source);
}
