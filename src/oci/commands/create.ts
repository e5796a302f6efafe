import type { CommandModule } from "../command.ts";
import { createContainer, createOptions } from "../create.ts";

export const run: CommandModule["run"] = async ({ flags, operands: [id = ""] }, globals) => {
  await createContainer(id, createOptions(flags, false), globals);
  return 0;
};
