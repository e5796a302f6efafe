import { listImages, readImageSize } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing, lines } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { IMAGE_HEADINGS, IMAGE_TABLE, imageRows } from "../views/image-view.ts";

export function run({ options, globals }: CommandCall): void {
  const format = options.value("format");
  const truncate = !options.flag("no-trunc") && format !== "json";
  const row = { now: new Date(), truncate };
  const engine = openEngineFor(globals);
  const all = options.flag("all");
  const images = listImages(engine).filter(({ names }) => all || names.length > 0);
  const rows = images
    .toReversed()
    .flatMap((image) => imageRows(image, { ...row, size: readImageSize(engine, image) }));
  if (options.flag("quiet") && format === undefined) {
    print(lines([...new Set(rows.map(({ ID }) => String(ID)))]));
    return;
  }
  const listing = { rows, table: IMAGE_TABLE, headings: IMAGE_HEADINGS };
  print(formatListing({ ...listing, noHeading: options.flag("noheading") }, format));
}
