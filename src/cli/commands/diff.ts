import { diffContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

const LETTERS = { added: "A", changed: "C", deleted: "D" } as const;

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = ""] = operands;
  const changes = await diffContainer(openEngineFor(globals), ref);
  const format = options.value("format");
  if (format === undefined) {
    for (const { kind, path } of changes) print(`${LETTERS[kind]} ${path}\n`);
    return;
  }
  print(
    formatListing(
      {
        rows: changes.map(({ kind, path }) => ({ Kind: LETTERS[kind], Path: path })),
        table: "{{.Kind}}\t{{.Path}}",
        headings: { Kind: "KIND", Path: "PATH" },
      },
      format,
    ),
  );
}
