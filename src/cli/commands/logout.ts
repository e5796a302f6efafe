import { TsrunError } from "../../base/errors.ts";
import { logout } from "../../images/index.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands }: CommandCall): Promise<void> {
  const [registry] = operands;
  const authFile = options.value("authfile");
  const access = authFile === undefined ? {} : { authFile };
  const all = options.flag("all");
  if (all && registry !== undefined) {
    throw new TsrunError("INVALID_ARGUMENT", '"tsrun logout" takes either --all or a registry', {
      hint: `Leave out --all, or "${registry}".`,
    });
  }
  await logout(all ? undefined : (registry ?? "docker.io"), access);
  printLine(
    all ? "Removed all credentials" : `Removed login credentials for ${registry ?? "docker.io"}`,
  );
}
