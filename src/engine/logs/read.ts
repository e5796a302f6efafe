/** Reading a container's log from its files, and following it through rotations. */
import { TsrunError } from "../../base/errors.ts";
import { LogChanges } from "./changes.ts";
import { CriParser, type LogRecord } from "./cri.ts";
import {
  cannotRead,
  closeGenerations,
  type Generation,
  hasRotated,
  openGenerations,
} from "./generations.ts";
import { readLinesAt } from "./lines.ts";
import { findTail, type LogPosition } from "./tail.ts";

export interface ReadLogsOptions {
  readonly path: string;
  /** Only records of this time and later, nanoseconds since 1970. */
  readonly since?: bigint | undefined;
  /** Only records of this time and earlier. */
  readonly until?: bigint | undefined;
  /** Only the last so many lines of what is there already. */
  readonly tail?: number | undefined;
  /** Go on with what is written from now on. */
  readonly follow?: FollowOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FollowOptions {
  /** Settles when nothing more is written: the exit record is there. What is written is read to its end then. */
  readonly ended: Promise<unknown>;
}

/**
 * The records of a log, oldest first. No log is an empty one. Throws STORE_UNAVAILABLE if it cannot be
 * read, ABORTED by the signal.
 */
export function readLogs(options: ReadLogsOptions): AsyncGenerator<LogRecord, void, void> {
  return oneByOne(readLogBatches(options));
}

/** The same, as many records at a time as one read gives: faster for those who copy. */
export function readLogBatches(options: ReadLogsOptions): AsyncGenerator<LogRecord[], void, void> {
  // Made now, not at the first record: `ended` is looked after from the start, should it reject.
  return readToTheEnd(new LogReader(options));
}

async function* oneByOne(batches: AsyncIterable<LogRecord[]>): AsyncGenerator<LogRecord> {
  for await (const records of batches) yield* records;
}

async function* readToTheEnd(reader: LogReader): AsyncGenerator<LogRecord[]> {
  try {
    yield* reader.existing();
    yield* reader.following();
  } finally {
    await reader.close();
  }
}

class LogReader {
  readonly #options: ReadLogsOptions;
  readonly #parser = new CriParser();
  /** What is read now, then what is to be read. */
  #generations: Generation[] = [];
  #offset = 0;
  /** A record later than `until` has come. */
  #past: boolean = false;

  /** The container has ended. */
  #over: boolean = false;
  #changes: LogChanges | undefined;

  constructor(options: ReadLogsOptions) {
    this.#options = options;
    const end = () => {
      this.#over = true;
      this.#changes?.notify();
    };
    options.follow?.ended.then(end, end);
  }

  async close(): Promise<void> {
    await closeGenerations(this.#generations.splice(0));
  }

  async *existing(): AsyncGenerator<LogRecord[]> {
    this.#generations = await openGenerations(this.#options.path);
    const start = await this.#start();
    await closeGenerations(this.#generations.splice(0, start.generation));
    this.#offset = start.offset;
    yield* this.#readThrough();
  }

  async *following(): AsyncGenerator<LogRecord[]> {
    if (this.#options.follow === undefined) return;
    using changes = new LogChanges(this.#options.path);
    this.#changes = changes;
    const wake = () => changes.notify();
    this.#options.signal?.addEventListener("abort", wake);
    try {
      while (!this.#past) {
        // Looked at before the read: what was written before the end is read after it.
        const last = this.#over || this.#isUntilOver();
        const moved = await this.#moveOn();
        yield* this.#readThrough();
        if (moved) continue;
        if (last) return;
        await changes.wait();
      }
    } finally {
      this.#options.signal?.removeEventListener("abort", wake);
    }
  }

  async #start(): Promise<LogPosition> {
    const { tail, since, until } = this.#options;
    if (tail !== undefined) return findTail(this.#generations, tail, { since, until });
    if (since === undefined) return { generation: 0, offset: 0 };
    const first = this.#generations.findIndex(({ modified }) => modified >= since - MTIME_SLACK);
    return { generation: first < 0 ? Math.max(0, this.#generations.length - 1) : first, offset: 0 };
  }

  /** After a rotation: queues the generations that are younger than the current one. */
  async #moveOn(): Promise<boolean> {
    const { path } = this.#options;
    const current = this.#generations[0];
    if (current !== undefined && !(await hasRotated(path, current))) return false;
    const younger = await openGenerations(path, current);
    this.#generations.push(...younger);
    return younger.length > 0;
  }

  /** Reads the queued generations; the last stays open. The others get no more records, so their end is the end. */
  async *#readThrough(): AsyncGenerator<LogRecord[]> {
    for (;;) {
      yield* this.#readToEnd();
      if (this.#past || this.#generations.length < 2) return;
      await closeGenerations(this.#generations.splice(0, 1));
      this.#offset = 0;
    }
  }

  async *#readToEnd(): AsyncGenerator<LogRecord[]> {
    const current = this.#generations[0];
    while (current !== undefined && !this.#past) {
      this.#throwIfAborted();
      const { lines, next } = await this.#readLines(current);
      if (lines.length === 0) return;
      this.#offset = next;
      const records = this.#select(lines);
      if (records.length > 0) yield records;
    }
  }

  async #readLines(current: Generation) {
    try {
      return await readLinesAt(current.handle, this.#offset);
    } catch (error) {
      throw cannotRead(this.#options.path, error);
    }
  }

  #select(lines: readonly Buffer[]): LogRecord[] {
    const { since, until } = this.#options;
    const records: LogRecord[] = [];
    for (const line of lines) {
      const record = this.#parser.parse(line);
      if (record === undefined || (since !== undefined && record.time < since)) continue;
      if (until !== undefined && record.time > until) {
        this.#past = true;
        break;
      }
      records.push(record);
    }
    return records;
  }

  #isUntilOver(): boolean {
    const { until } = this.#options;
    return until !== undefined && BigInt(Date.now()) * 1_000_000n > until + MTIME_SLACK;
  }

  #throwIfAborted(): void {
    const { signal, path } = this.#options;
    if (signal?.aborted !== true) return;
    throw new TsrunError("ABORTED", `reading the log "${path}" was aborted`, {
      cause: signal.reason,
    });
  }
}

/** A file's time comes from a coarser clock than its records', and a record is written after its time is taken. */
const MTIME_SLACK = 1_000_000_000n;
