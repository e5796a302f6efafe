import { listVolumes } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export function run({ operands, globals }: CommandCall): Promise<number> {
  const [wanted] = operands;
  const found = listVolumes(openEngineFor(globals)).some(({ name }) => name === wanted);
  return Promise.resolve(found ? 0 : 1);
}
