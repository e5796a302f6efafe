import { inspectVolume, listVolumes } from "../../engine/index.ts";
import { namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatInspected } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { volumeView } from "../views/volume-view.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const which = { all: options.flag("all"), operands, kind: "volume" } as const;
  const names = await namedOrAll("volume inspect", which, async () =>
    listVolumes(engine).map(({ name }) => name),
  );
  const views = names.map((name) => volumeView(inspectVolume(engine, name)));
  print(formatInspected(views, options.value("format")));
}
