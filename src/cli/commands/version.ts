import { formatObject } from "../format/rows.ts";
import { print, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { tsrunVersion } from "../version.ts";

export function run({ options }: CommandCall): void {
  const format = options.value("format");
  if (format === undefined) printLine(`tsrun version ${tsrunVersion()}`);
  else print(formatObject(versionRow(), format));
}

function versionRow() {
  return {
    Version: tsrunVersion(),
    NodeVersion: process.versions.node,
    OsArch: `linux/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}
