import { completeImageName, inspectImage, listImageLayers } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing, lines } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { HISTORY_HEADINGS, HISTORY_TABLE, historyRows } from "../views/image-history.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const format = options.value("format");
  const truncate = !options.flag("no-trunc") && format !== "json";
  const image = inspectImage(engine, await completeImageName(engine, operands[0] ?? ""));
  const row = { now: new Date(), truncate };
  const rows = historyRows(image, listImageLayers(engine, image), row);
  if (options.flag("quiet") && format === undefined) {
    print(lines(rows.map(({ ID }) => String(ID))));
    return;
  }
  print(formatListing({ rows, table: HISTORY_TABLE, headings: HISTORY_HEADINGS }, format));
}
