import { listContainers, pauseContainer } from "../../engine/index.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const names = await namedOrAll("pause", { all: options.flag("all"), operands }, async () =>
    (await listContainers(engine, { filters: { status: ["running"] } })).map(
      ({ config }) => config.name,
    ),
  );
  await forEachOf(names, async (ref) => {
    await pauseContainer(engine, ref);
    return ref;
  });
}
