import { diffContainerOrImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { lines } from "../format/rows.ts";
import { compileTemplate } from "../format/template.ts";
import { toJson } from "../format/value.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

const LETTERS = { added: "A", changed: "C", deleted: "D" } as const;

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = ""] = operands;
  const changes = await diffContainerOrImage(openEngineFor(globals), ref);
  const format = options.value("format");
  if (format === "json") {
    // podman's form: the paths by what happened to them.
    const paths = (kind: keyof typeof LETTERS) =>
      changes.filter((change) => change.kind === kind).map(({ path }) => path);
    const byKind = { changed: paths("changed"), added: paths("added"), deleted: paths("deleted") };
    print(`${toJson(byKind, 2)}\n`);
    return;
  }
  // A name may be any bytes: in latin1 each is one character, and comes out as it went in.
  const template = compileTemplate(latin1(Buffer.from(format ?? "{{.Kind}} {{.Path}}")));
  const rows = changes.map(({ kind, bytes }) =>
    template.render({ Kind: LETTERS[kind], Path: latin1(bytes) }),
  );
  print(Buffer.from(lines(rows), "latin1"));
}

function latin1(bytes: Buffer): string {
  return bytes.toString("latin1");
}
