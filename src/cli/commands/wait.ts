import { TsrunError } from "../../base/errors.ts";
import { type WaitCondition, waitContainer } from "../../engine/index.ts";
import { exitStatusCode } from "../../runtime/index.ts";
import { forEachOf } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
import type { CommandCall } from "../table/types.ts";

const CONDITIONS: Readonly<Record<string, WaitCondition>> = {
  exited: "exited",
  stopped: "exited",
  running: "running",
  paused: "paused",
  removed: "removed",
};

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const typed = parseChoice(
    "--condition",
    options.value("condition") ?? "exited",
    Object.keys(CONDITIONS),
  );
  const condition = CONDITIONS[typed] ?? "exited";
  const engine = openEngineFor(globals);
  await forEachOf(operands, async (ref) => {
    try {
      return String(exitStatusCode(await waitContainer(engine, ref, { condition })));
    } catch (error) {
      const missing = error instanceof TsrunError && error.code === "NOT_FOUND";
      if (missing && options.flag("ignore")) return "-1";
      throw error;
    }
  });
}
