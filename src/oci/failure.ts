/**
 * A launch's failure in runc's words. Engines look for them: "executable file not found" and "no such
 * file or directory" become status 127, "permission denied" 126.
 */
import { TsrunError } from "../base/errors.ts";
import type { OciProcess } from "../spec/index.ts";

export function processFailure(error: unknown, { args, cwd }: OciProcess): unknown {
  if (!(error instanceof TsrunError)) return error;
  const sentence = failureSentence(error, args[0] ?? "", cwd);
  if (sentence === undefined) return error;
  const { code, errno, origin } = error;
  return new TsrunError(code, `unable to start container process: ${sentence}`, {
    cause: error,
    ...(errno === undefined ? {} : { errno }),
    ...(origin === undefined ? {} : { origin }),
  });
}

function failureSentence(error: TsrunError, program: string, cwd: string): string | undefined {
  const name = `exec: ${JSON.stringify(program)}`;
  switch (error.code) {
    case "COMMAND_NOT_FOUND":
      return program.includes("/")
        ? `${name}: stat ${program}: no such file or directory`
        : `${name}: executable file not found in $PATH`;
    case "COMMAND_NOT_EXECUTABLE":
      return `${name}: ${EXEC_REASONS[error.errno ?? ""] ?? "permission denied"}`;
    case "LAUNCH_FAILED":
      if (error.origin === "process.cwd" && error.errno !== undefined) {
        const reason = error.message.slice(error.message.lastIndexOf(": ") + 2);
        return `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${reason}`;
      }
      return `error during container init: ${error.message}`;
    default:
      return undefined;
  }
}

const EXEC_REASONS: Readonly<Record<string, string>> = {
  ENOEXEC: "exec format error",
  EPERM: "operation not permitted",
};
