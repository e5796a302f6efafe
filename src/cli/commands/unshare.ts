import { hasErrno, TsrunError } from "../../base/errors.ts";
import { replaceProcess } from "../../ffi/index.ts";
import type { CommandCall } from "../table/types.ts";

/** By now tsrun is in the namespace, as every command of a user without root is that needs it. */
export function run({ operands }: CommandCall): never {
  if (process.env["TSRUN_ROOTLESS_UID"] === undefined) {
    throw new TsrunError("UNSUPPORTED", "root has all ids, and needs no namespace for them", {
      hint: "tsrun unshare is for other users.",
    });
  }
  const argv = operands.length > 0 ? operands : [process.env["SHELL"] || "/bin/sh"];
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  try {
    return replaceProcess({ argv, env });
  } catch (error) {
    throw programError(argv[0] ?? "", error);
  }
}

function programError(program: string, error: unknown): unknown {
  if (hasErrno(error, "ENOENT", "ENOTDIR")) {
    return new TsrunError("COMMAND_NOT_FOUND", `there is no program "${program}"`, {
      hint: "It is looked for in the directories of PATH.",
      cause: error,
    });
  }
  if (!hasErrno(error, "EACCES", "ENOEXEC")) return error;
  return new TsrunError("COMMAND_NOT_EXECUTABLE", `"${program}" cannot be executed`, {
    hint: "It has to be a program that this user may execute.",
    cause: error,
  });
}
