import { TsrunError } from "../base/errors.ts";

/** Where in which Containerfile. */
export interface LinePlace {
  readonly file: string;
  readonly line: number;
}

/** What is wrong with a Containerfile is said with its line: "Containerfile:3: …". */
export function invalidLine({ file, line }: LinePlace, problem: string, hint?: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `${file}:${line}: ${problem}`, {
    ...(hint === undefined ? {} : { hint }),
    origin: `${file}:${line}`,
  });
}

/** The same error, told with its line. An abort is nobody's fault, and has none. */
export function atLine({ file, line }: LinePlace, error: unknown): unknown {
  const place = `${file}:${line}`;
  if (!(error instanceof TsrunError) || error.code === "ABORTED") return error;
  if (error.message.startsWith(`${file}:`)) return error;
  return new TsrunError(error.code, `${place}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.errno === undefined ? {} : { errno: error.errno }),
    origin: place,
    cause: error,
  });
}
