import { TsrunError } from "../base/errors.ts";
import { type ExitStatus, exitStatusCode } from "../runtime/index.ts";
import type { LinePlace } from "./line-error.ts";

/** A RUN whose command ended otherwise than with 0. */
export class BuildFailure extends TsrunError {
  /** As a shell counts it. */
  readonly status: number;

  constructor({ file, line }: LinePlace, text: string, exit: ExitStatus) {
    const how =
      exit.kind === "exited"
        ? `exit status ${exit.code}`
        : `it was killed by signal ${exit.signal}`;
    super("BUILD_FAILED", `${file}:${line}: "${text}" failed: ${how}`, {
      hint: "What the command has written stands above.",
      origin: `${file}:${line}`,
    });
    this.status = exitStatusCode(exit);
  }
}
