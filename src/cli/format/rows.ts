/**
 * What a listing command prints: a table, JSON, or a template's lines.
 */

import { compileTemplate } from "./template.ts";
import { alignColumns } from "./text-table.ts";
import { toJson, type ValueRecord } from "./value.ts";

export interface Listing {
  readonly rows: readonly ValueRecord[];
  /** The template of the table that is shown without --format: "{{.ID}}\t{{.Names}}". */
  readonly table: string;
  /** Where a column's heading is not its field's name in capitals. */
  readonly headings: Readonly<Record<string, string>>;
  readonly noHeading?: boolean;
}

/** Text that ends in a newline, or nothing. `format` is what --format says. */
export function formatListing(listing: Listing, format: string | undefined): string {
  if (format === "json") return `${toJson(listing.rows, 2)}\n`;
  const tableFormat = tableTemplate(format, listing.table);
  if (tableFormat === undefined) {
    const template = compileTemplate(format ?? "");
    return lines(listing.rows.map((row) => template.render(row)));
  }
  const template = compileTemplate(tableFormat);
  const headings = listing.noHeading ? [] : [template.renderHeadings(listing.headings)];
  // A line break inside a cell would tear the table apart.
  const rows = listing.rows.map((row) => template.render(row).replaceAll("\n", " "));
  return lines(alignColumns([...headings, ...rows]));
}

/** "table" alone is the usual table; "table TEMPLATE" another one. */
function tableTemplate(format: string | undefined, usual: string): string | undefined {
  if (format === undefined || format === "table") return usual;
  return format.startsWith("table ") ? format.slice("table ".length).trimStart() : undefined;
}

export function lines(rows: readonly string[]): string {
  return rows.map((row) => `${row}\n`).join("");
}

/** One object: JSON, or the template's line. */
export function formatObject(value: ValueRecord, format: string): string {
  return format === "json" ? `${toJson(value, 2)}\n` : `${compileTemplate(format).render(value)}\n`;
}

/** What inspect prints: a JSON array, or a line for each. */
export function formatInspected(
  values: readonly ValueRecord[],
  format: string | undefined,
): string {
  if (format === undefined || format === "json") return `${toJson(values, 2)}\n`;
  const template = compileTemplate(format);
  return lines(values.map((value) => template.render(value)));
}
