import { listContainers, restartContainer } from "../../engine/index.ts";
import { parseSeconds } from "../container-request.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor, warn } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const time = options.value("time");
  const stop = time === undefined ? {} : { timeoutSeconds: parseSeconds("--time", time) };
  const names = await namedOrAll("restart", { all: options.flag("all"), operands }, async () =>
    (await listContainers(engine, { all: true })).map(({ config }) => config.name),
  );
  await forEachOf(names, async (ref) => {
    const { warnings } = await restartContainer(engine, ref, stop);
    for (const text of warnings) warn(globals, text);
    return ref;
  });
}
