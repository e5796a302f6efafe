import { type ListFilters, listContainers } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice, parseFilters } from "../filters.ts";
import { formatListing, lines } from "../format/rows.ts";
import type { OptionValues } from "../option-values.ts";
import { parseInteger } from "../options/number.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { CONTAINER_HEADINGS, CONTAINER_TABLE, containerRow } from "../views/container-row.ts";

const STATUSES = ["created", "starting", "running", "paused", "exited", "removing"] as const;
const FILTERS = ["name", "id", "status", "label", "ancestor", "exited"] as const;

export async function run({ options, globals }: CommandCall): Promise<void> {
  const filters: ListFilters = parseFilters(options.list("filter"), FILTERS);
  for (const status of filters.status ?? []) parseChoice("--filter status", status, STATUSES);
  const last = options.value("last");
  const newest =
    last === undefined
      ? undefined
      : parseInteger("--last", last, { min: 0, max: Number.MAX_SAFE_INTEGER });
  // A filter by state would find nothing among those that run.
  const all =
    options.flag("all") ||
    newest !== undefined ||
    filters.status !== undefined ||
    filters.exited !== undefined;
  const found = await listContainers(openEngineFor(globals), { all, filters });
  const views = newest === undefined ? found : found.slice(0, newest);
  const format = options.value("format");
  const row = { now: new Date(), truncate: truncates(options) };
  const rows = views.map((view) => containerRow(view, row));
  if (options.flag("quiet") && format === undefined) {
    print(lines(rows.map(({ ID }) => String(ID))));
    return;
  }
  print(
    formatListing(
      {
        rows,
        table: CONTAINER_TABLE,
        headings: CONTAINER_HEADINGS,
        noHeading: options.flag("noheading"),
      },
      format,
    ),
  );
}

/** JSON is for programs: they get everything. */
function truncates(options: OptionValues): boolean {
  return !options.flag("no-trunc") && options.value("format") !== "json";
}
