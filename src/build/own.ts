/**
 * The record's own value: names come from files, and "constructor" is nothing that a record was given.
 */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
