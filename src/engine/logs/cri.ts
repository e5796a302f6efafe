/**
 * One record of a container's log as Kubernetes' CRI writes it: "TIME stdout|stderr F|P TEXT". F ends a
 * line, P is a piece of one that goes on. Pure.
 */

export interface LogRecord {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** The same as written: RFC 3339 with nanoseconds. */
  readonly timestamp: string;
  readonly stream: "stdout" | "stderr";
  /** The line goes on in the stream's next record: print no newline. */
  readonly partial: boolean;
  /** As the container wrote it, without the newline. */
  readonly text: Buffer;
}

const SPACE = 0x20;
const FULL = 0x46;
const PARTIAL = 0x50;

/** Reads records; keeps the last timestamp, because records of one read share it. */
export class CriParser {
  #timestamp = "";
  #bytes: Buffer = Buffer.alloc(0);
  #time = 0n;

  /** `line` is without its newline. Undefined for what is no record: a line that a crash tore. */
  parse(line: Buffer): LogRecord | undefined {
    const timeEnd = line.indexOf(SPACE);
    const stream = parseStream(line, timeEnd + 1);
    if (timeEnd <= 0 || stream === undefined) return undefined;
    const tagAt = timeEnd + 1 + stream.length + 1;
    const tag = line[tagAt];
    if (line[tagAt - 1] !== SPACE || line[tagAt + 1] !== SPACE) return undefined;
    if ((tag !== FULL && tag !== PARTIAL) || !this.#readTime(line, timeEnd)) return undefined;
    return {
      time: this.#time,
      timestamp: this.#timestamp,
      stream,
      partial: tag === PARTIAL,
      text: line.subarray(tagAt + 2),
    };
  }

  #readTime(line: Buffer, end: number): boolean {
    if (this.#bytes.length === end && line.compare(this.#bytes, 0, end, 0, end) === 0) return true;
    const timestamp = line.toString("latin1", 0, end);
    const time = parseRfc3339(timestamp);
    if (time === undefined) return false;
    this.#timestamp = timestamp;
    this.#bytes = Buffer.from(line.subarray(0, end));
    this.#time = time;
    return true;
  }
}

function parseStream(line: Buffer, at: number): "stdout" | "stderr" | undefined {
  const name = line.toString("latin1", at, at + 6);
  return name === "stdout" || name === "stderr" ? name : undefined;
}

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** Nanoseconds since 1970, or undefined for what is no RFC 3339 time (a leap second counts as the next). */
export function parseRfc3339(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = parseOffset(match[8] ?? "Z");
  if (offset === undefined) return undefined;
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day); // Date.UTC would take the year 50 for 1950
  local.setUTCHours(hour, minute, second);
  const nanoseconds = BigInt((match[7] ?? "").padEnd(9, "0"));
  return BigInt(local.getTime() - offset * 60_000) * 1_000_000n + nanoseconds;
}

function daysIn(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}

/** Minutes east of UTC. */
function parseOffset(text: string): number | undefined {
  if (text === "Z" || text === "z") return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(4, 6));
  if (hours > 23 || minutes > 59) return undefined;
  return (text.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}
