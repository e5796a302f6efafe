import { killContainer, listContainers } from "../../engine/index.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseSignal } from "../options/identity.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const signal = parseSignal("--signal", options.value("signal") ?? "KILL");
  const engine = openEngineFor(globals);
  const names = await namedOrAll("kill", { all: options.flag("all"), operands }, async () =>
    (await listContainers(engine)).map(({ config }) => config.name),
  );
  await forEachOf(names, async (ref) => {
    await killContainer(engine, ref, { signal });
    return ref;
  });
}
