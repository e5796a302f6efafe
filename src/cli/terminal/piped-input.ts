import { isatty } from "node:tty";
import { warn } from "../engine-context.ts";
import type { GlobalOptions } from "../table/types.ts";

/** A terminal in the container and a pipe here: what comes is typed, and its end is only a key. */
export function warnOfPipedInput(
  globals: GlobalOptions,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): void {
  if (!tty || !interactive || isatty(0)) return;
  warn(
    globals,
    "stdin is not a terminal, so that its end is typed as ctrl-D: leave out -t for input from a pipe",
  );
}
