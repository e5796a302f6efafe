/**
 * The log as logrus writes it, which engines read: a shim takes the last line of level "error" in the
 * JSON file for the reason of a failure.
 */
import { appendFileSync, writeSync } from "node:fs";

export interface LogOptions {
  /** Without a file the log goes to stderr. */
  readonly file?: string | undefined;
  readonly format: "text" | "json";
}

export type LogLevel = "error" | "warning" | "debug";

export function writeLog({ file, format }: LogOptions, level: LogLevel, message: string): void {
  const line = format === "json" ? jsonLine(level, message) : textLine(level, message);
  if (file === undefined) writeError(line);
  else appendFileSync(file, line, { mode: 0o644 });
}

/** Nobody is told where even that fails: the reader has gone. */
export function writeError(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // EPIPE, EAGAIN or EBADF of a caller that does not listen.
  }
}

function jsonLine(level: LogLevel, msg: string): string {
  return `${JSON.stringify({ level, msg, time: now() })}\n`;
}

function textLine(level: LogLevel, message: string): string {
  const text = /^[\w\-./@^+]+$/.test(message) ? message : JSON.stringify(message);
  return `time="${now()}" level=${level} msg=${text}\n`;
}

/** RFC 3339, whole seconds, as Go writes UTC. */
function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
