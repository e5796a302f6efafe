/**
 * One line of comma-separated fields: `a,"b,c","say ""x"""` is three. RFC 4180.
 * Returns undefined for a quote that is not closed or stands inside a field.
 */
export function parseCsvLine(line: string): readonly string[] | undefined {
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  const fields: string[] = [];
  for (;;) {
    const match = field.exec(line);
    if (!match) return undefined;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") return fields;
  }
}
