import { freezeCgroup } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { checkLifecycle } from "../lifecycle.ts";
import { readRecord } from "../records.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = async ({ operands: [id = ""] }, { root }) => {
  const record = readRecord(root, id);
  checkLifecycle("pause", readStatus(root, record));
  await freezeCgroup(record.cgroup);
  return 0;
};
