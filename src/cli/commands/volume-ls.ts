import { listVolumes } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing, lines } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import {
  parseVolumeFilters,
  VOLUME_HEADINGS,
  VOLUME_TABLE,
  volumeView,
} from "../views/volume-view.ts";

export function run({ options, globals }: CommandCall): void {
  const filters = parseVolumeFilters(options.list("filter"));
  const rows = listVolumes(openEngineFor(globals), filters).map(volumeView);
  const format = options.value("format");
  if (options.flag("quiet") && format === undefined) {
    print(lines(rows.map(({ Name }) => String(Name))));
    return;
  }
  const listing = { rows, table: VOLUME_TABLE, headings: VOLUME_HEADINGS };
  print(formatListing({ ...listing, noHeading: options.flag("noheading") }, format));
}
