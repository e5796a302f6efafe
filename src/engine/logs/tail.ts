/** Where the last lines of a log begin, found from its end. */
import { CriParser, type LogRecord } from "./cri.ts";
import type { Generation } from "./generations.ts";
import { readLinesBackwards } from "./lines.ts";

export interface LogPosition {
  /** Index of the generation. */
  readonly generation: number;
  readonly offset: number;
}

export interface TimeRange {
  readonly since?: bigint | undefined;
  readonly until?: bigint | undefined;
}

/**
 * Where the last `count` lines within the range begin, or the range itself if it has fewer. A line that came in
 * pieces is one; so is a last one that is not finished.
 */
export async function findTail(
  generations: readonly Generation[],
  count: number,
  range: TimeRange,
): Promise<LogPosition> {
  const counter = new LineCounter(count, range);
  let start: LogPosition | undefined;
  for (let index = generations.length - 1; index >= 0; index--) {
    const { handle } = generations[index] as Generation;
    const { size } = await handle.stat();
    start ??= { generation: index, offset: size };
    for await (const { line, position } of readLinesBackwards(handle, size)) {
      if (!counter.take(line)) return start;
      start = { generation: index, offset: position };
    }
  }
  return start ?? { generation: 0, offset: 0 };
}

/** Counts lines by their ends, going backwards. */
class LineCounter {
  readonly #parser = new CriParser();
  readonly #range: TimeRange;
  #left: number;
  #first: boolean = true;

  constructor(count: number, range: TimeRange) {
    this.#left = count;
    this.#range = range;
  }

  /** Whether this record still belongs to the lines that are wanted. */
  take(line: Buffer): boolean {
    const record = this.#parser.parse(line);
    if (record === undefined) return true;
    const { since, until } = this.#range;
    if (since !== undefined && record.time < since) return false;
    if (until !== undefined && record.time > until) return true;
    return this.#count(record);
  }

  #count(record: LogRecord): boolean {
    const ends = !record.partial || this.#first;
    this.#first = false;
    if (!ends) return true;
    this.#left--;
    return this.#left >= 0;
  }
}
