import type { CommandModule } from "../command.ts";
import { print } from "../print.ts";
import { readRecord } from "../records.ts";
import { composeState } from "../state.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = ({ operands: [id = ""] }, { root }) => {
  const record = readRecord(root, id);
  const state = composeState(record, readStatus(root, record));
  print(JSON.stringify(state, undefined, 2)); // without a line feed, as runc
  return 0;
};
