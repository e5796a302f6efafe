import { isatty } from "node:tty";
import { readWindowSize } from "../../ffi/index.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/** Of the first of stdout, stdin and stderr that is a terminal; undefined where none is. */
export function terminalSize(): TerminalSize | undefined {
  const fd = [1, 0, 2].find((candidate) => isatty(candidate));
  return fd === undefined ? undefined : readWindowSize(fd);
}
