import type { CommandModule } from "../command.ts";
import { readRecord } from "../records.ts";
import { awaitExec, startContainer } from "../start.ts";

export const run: CommandModule["run"] = async ({ operands: [id = ""] }, globals) => {
  const record = readRecord(globals.root, id);
  const released = process.env["TSRUN_OCI_RESULT_FD"]; // native/fast-path/actions.h
  if (released === undefined) await startContainer(record, globals);
  else await awaitExec(Number(released), record, globals);
  return 0;
};
