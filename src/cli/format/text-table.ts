/**
 * Rows with tabs in them as aligned columns: at least twelve characters wide and two apart, as podman
 * sets them. What follows the last tab is not padded.
 */
export function alignColumns(rows: readonly string[]): string[] {
  const cells = rows.map((row) => row.split("\t"));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 12, cell.length + 2);
    }
  }
  return cells.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? cell.length),
      )
      .join("")
      .trimEnd(),
  );
}
