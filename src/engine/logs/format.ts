/** Log records as bytes to print. Pure. */
import type { LogRecord } from "./cri.ts";

const NEWLINE = Buffer.from("\n");

/**
 * Gives each record's bytes in turn: exactly what the container wrote, or with `timestamps` the time
 * and a space before each line. A line that came in pieces gets one time, that of its first.
 */
export class LogFormatter {
  readonly #timestamps: boolean;
  readonly #midLine = { stdout: false, stderr: false };

  constructor(options: { timestamps?: boolean } = {}) {
    this.#timestamps = options.timestamps ?? false;
  }

  format(record: LogRecord): Buffer {
    const begins = !this.#midLine[record.stream];
    this.#midLine[record.stream] = record.partial;
    const parts = [record.text];
    if (this.#timestamps && begins) parts.unshift(Buffer.from(`${record.timestamp} `));
    if (!record.partial) parts.push(NEWLINE);
    return parts.length === 1 ? record.text : Buffer.concat(parts);
  }
}
