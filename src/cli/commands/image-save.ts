import { createWriteStream, existsSync, rmSync } from "node:fs";
import { TsrunError } from "../../base/errors.ts";
import { completeImageName, saveImages } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
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
    if (output === undefined) throw noOutput("a directory is written to --output DIR");
    await saveImages(engine, names, { directory: output });
    return;
  }
  if (output === undefined) {
    if (process.stdout.isTTY) throw noOutput("an archive is not for a terminal");
    await saveImages(engine, names, { format, output: process.stdout });
    return;
  }
  const wasThere = existsSync(output);
  try {
    await saveImages(engine, names, { format, output: createWriteStream(output) });
  } catch (error) {
    if (!wasThere) rmSync(output, { force: true });
    throw error;
  }
}

function noOutput(problem: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", problem, { hint: "Use --output." });
}
