import { TsrunError } from "../../base/errors.ts";
import { listContainers, stopContainer } from "../../engine/index.ts";
import { parseSeconds } from "../container-request.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const time = options.value("time");
  const stop = time === undefined ? {} : { timeoutSeconds: parseSeconds("--time", time) };
  const names = await namedOrAll("stop", { all: options.flag("all"), operands }, async () =>
    (await listContainers(engine)).map(({ config }) => config.name),
  );
  await forEachOf(names, async (ref) => {
    try {
      await stopContainer(engine, ref, stop);
      return ref;
    } catch (error) {
      const missing = error instanceof TsrunError && error.code === "NOT_FOUND";
      if (missing && options.flag("ignore")) return undefined;
      throw error;
    }
  });
}
