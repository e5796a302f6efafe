import { listSnapshots } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanAgo, humanSize } from "../format/human.ts";
import { formatListing, lines } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

const TABLE = "{{.Name}}\t{{.Created}}\t{{.Size}}\t{{.Layers}}\t{{.Taken}}";
const HEADINGS = { Taken: "TAKEN WHILE" };

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = ""] = operands;
  const format = options.value("format");
  const now = new Date();
  const snapshots = await listSnapshots(openEngineFor(globals), ref);
  if (options.flag("quiet") && format === undefined) {
    print(lines(snapshots.map(({ name }) => name)));
    return;
  }
  const rows = snapshots.map(({ name, createdAt, size, frozen, running }) => ({
    Name: name,
    Created: humanAgo(new Date(createdAt), now),
    CreatedAt: createdAt,
    Size: humanSize(size, " "),
    RawSize: size,
    Layers: frozen.length,
    Taken: running ? "running" : "stopped",
  }));
  const listing = { rows, table: TABLE, headings: HEADINGS };
  print(formatListing({ ...listing, noHeading: options.flag("noheading") }, format));
}
