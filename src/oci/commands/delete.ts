import type { CommandModule } from "../command.ts";
import { checkId, findRecord, noSuchContainer } from "../records.ts";
import { deleteContainer, removeRemains } from "../remove.ts";

export const run: CommandModule["run"] = async ({ flags, operands: [id = ""] }, globals) => {
  const force = flags.flag("force");
  const record = findRecord(globals.root, checkId(id));
  if (record) await deleteContainer(record, { force }, globals);
  else if (force) removeRemains(globals.root, id);
  else throw noSuchContainer();
  return 0;
};
