import type { CommandModule } from "../command.ts";
import { readRecord } from "../records.ts";
import { startContainer } from "../start.ts";

export const run: CommandModule["run"] = async ({ operands: [id = ""] }, globals) => {
  await startContainer(readRecord(globals.root, id), globals);
  return 0;
};
