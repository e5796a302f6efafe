import { TsrunError } from "../../base/errors.ts";
import { completeImageName, saveImages } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
import { writeOutput } from "../output-file.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const output = options.value("output");
  const format = parseChoice("--format", options.value("format") ?? "docker-archive", [
    "docker-archive",
    "oci-archive",
    "oci-dir",
  ] as const);
  const engine = openEngineFor(globals);
  const names = await Promise.all(operands.map((name) => completeImageName(engine, name)));
  if (format === "oci-dir") {
    if (output === undefined) {
      throw new TsrunError("INVALID_ARGUMENT", "a directory is written to --output DIR", {
        hint: "Use --output.",
      });
    }
    await saveImages(engine, names, { directory: output });
    return;
  }
  await writeOutput(output, (file) => saveImages(engine, names, { format, output: file }));
}
