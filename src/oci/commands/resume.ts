import { thawCgroup } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { checkLifecycle } from "../lifecycle.ts";
import { readRecord } from "../records.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = ({ operands: [id = ""] }, { root }) => {
  const record = readRecord(root, id);
  checkLifecycle("resume", readStatus(root, record));
  thawCgroup(record.cgroup);
  return 0;
};
