import { createWriteStream, existsSync, rmSync } from "node:fs";
import { finished } from "node:stream/promises";
import { TsrunError } from "../../base/errors.ts";
import { exportVolume } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const [ref = ""] = operands;
  const output = options.value("output");
  if (output === undefined) {
    if (process.stdout.isTTY) {
      throw new TsrunError("INVALID_ARGUMENT", "an archive is not for a terminal", {
        hint: "Use --output.",
      });
    }
    await exportVolume(engine, ref, process.stdout);
    return;
  }
  const wasThere = existsSync(output);
  const file = createWriteStream(output);
  try {
    await exportVolume(engine, ref, file);
    file.end();
    await finished(file);
  } catch (error) {
    file.destroy();
    if (!wasThere) rmSync(output, { force: true });
    throw error;
  }
}
