import { checkSystem } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing } from "../format/rows.ts";
import { print, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, globals }: CommandCall): Promise<number> {
  const repair = options.flag("repair");
  const findings = await checkSystem(openEngineFor(globals), {
    repair,
    images: options.flag("images"),
  });
  const left = findings.filter(({ repaired }) => !repaired);
  const format = options.value("format");
  if (findings.length === 0 && format === undefined) {
    printLine("Nothing is left behind.");
    return 0;
  }
  const rows = findings.map(({ kind, message, path, repaired }) => ({
    Kind: kind,
    Finding: message,
    Path: path,
    Repaired: repaired,
  }));
  const table = "{{.Kind}}\t{{if .Repaired}}repaired{{else}}found{{end}}\t{{.Finding}}\t{{.Path}}";
  print(formatListing({ rows, table, headings: {} }, format));
  return left.length > 0 ? 1 : 0;
}
