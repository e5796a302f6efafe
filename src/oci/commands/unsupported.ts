import { TsrunError } from "../../base/errors.ts";
import type { CommandModule } from "../command.ts";
import { readRecord } from "../records.ts";

/** checkpoint and restore. A container that is not there is the first thing that is said, as always. */
export const run: CommandModule["run"] = ({ flags, operands: [id = ""] }, { root }) => {
  if (flags.value("bundle") === undefined) readRecord(root, id);
  throw new TsrunError("UNSUPPORTED", "checkpoint and restore are not supported yet", {
    hint: "Use runc or crun for containers that are to be checkpointed.",
  });
};
