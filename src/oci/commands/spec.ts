import { existsSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { TsrunError } from "../../base/errors.ts";
import type { CommandModule } from "../command.ts";
import { defaultSpec } from "../default-spec.ts";

export const run: CommandModule["run"] = ({ flags }) => {
  const path = posix.join(flags.value("bundle") ?? ".", "config.json");
  if (existsSync(path)) {
    throw new TsrunError("INVALID_ARGUMENT", "File config.json exists. Remove it first");
  }
  const rootless = flags.flag("rootless")
    ? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    : undefined;
  writeFileSync(path, `${JSON.stringify(defaultSpec(rootless), undefined, "\t")}\n`, {
    mode: 0o666,
  });
  return 0;
};
