import { isatty } from "node:tty";

const CODES = { red: 31, yellow: 33, dim: 2, bold: 1, cyan: 36 } as const;

/** Colours text on a terminal; elsewhere, and where NO_COLOR is set (no-color.org), text stays as it is. */
export function colour(text: string, name: keyof typeof CODES, fd: 1 | 2): string {
  return hasColour(fd) ? `\u001b[${CODES[name]}m${text}\u001b[0m` : text;
}

export function hasColour(fd: 1 | 2): boolean {
  const { NO_COLOR, TERM } = process.env;
  return isatty(fd) && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
}
