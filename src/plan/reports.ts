/**
 * What the stage reports while it carries a plan out, as values.
 */
import {
  MARKS,
  type Mark,
  NO_OP,
  REPORT,
  REPORT_KINDS,
  REPORT_SIZE,
  type ReportKind,
} from "./abi.ts";

export interface StageReport {
  readonly kind: ReportKind;
  /** The op's index in the plan, or undefined where none is at fault (clone3, a malformed plan). */
  readonly opIndex: number | undefined;
  /** An errno for failed and warned, a CLD_ code for exited. */
  readonly error: number;
  /** A pid, an exit status or a signal, by kind. */
  readonly value: number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly timeNs: bigint;
  /** Which point of the launch a phase report stands for. */
  readonly mark: Mark | undefined;
}

const KIND_NAMES = new Map<number, ReportKind>(
  Object.entries(REPORT_KINDS).map(([name, code]) => [code, name as ReportKind]),
);
const MARK_NAMES = new Map<number, Mark>(
  Object.entries(MARKS).map(([name, code]) => [code, name as Mark]),
);

/** Splits a byte stream from the stage into reports; a report may arrive in pieces. */
export class ReportDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): StageReport[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const reports: StageReport[] = [];
    let at = 0;
    for (; at + REPORT_SIZE <= bytes.length; at += REPORT_SIZE) {
      reports.push(decodeReport(new DataView(bytes.buffer, bytes.byteOffset + at, REPORT_SIZE)));
    }
    this.#rest = bytes.subarray(at);
    return reports;
  }
}

function decodeReport(view: DataView): StageReport {
  const code = view.getUint32(REPORT.kind, true);
  const kind = KIND_NAMES.get(code);
  if (!kind) throw new Error(`the stage sent a report of unknown kind ${code}`);
  const opIndex = view.getUint32(REPORT.opIndex, true);
  return {
    kind,
    opIndex: opIndex === NO_OP || kind === "phase" ? undefined : opIndex,
    error: view.getInt32(REPORT.error, true),
    value: view.getInt32(REPORT.value, true),
    timeNs: view.getBigUint64(REPORT.timeNs, true),
    mark: kind === "phase" ? MARK_NAMES.get(opIndex) : undefined,
  };
}
