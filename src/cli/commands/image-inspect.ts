import { inspectImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatInspected } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { imageInspectView } from "../views/image-view.ts";

export function run({ options, operands, globals }: CommandCall): void {
  const engine = openEngineFor(globals);
  const views = operands.map((name) => imageInspectView(inspectImage(engine, name)));
  print(formatInspected(views, options.value("format")));
}
