/**
 * Appending to the journal: one write by whoever did the thing, commands here and each container's
 * supervisor (native/record.c). A full journal becomes events.jsonl.1 and the one before is forgotten.
 */
import { closeSync, fstatSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { hasErrno } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { type Engine, journalPath } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import { tryLockShared } from "../store/lock.ts";
import {
  type EngineEvent,
  type EventDetails,
  type EventStatus,
  journalLine,
  otherJournalLine,
} from "./event.ts";

const JOURNAL_MAX_BYTES = 4 * 1024 * 1024;

/**
 * A journal that cannot be written is a warning and no failure: what it would tell of has happened.
 */
export function recordEvent(
  engine: Engine,
  config: ContainerConfig,
  status: EventStatus,
  details: EventDetails = {},
): void {
  const line = () => journalLine(config, { status, details, time: new Date() });
  record(engine, line, `the event "${status}" of "${config.name}"`);
}

/** The same for a volume. */
export function recordVolumeEvent(engine: Engine, name: string, status: EventStatus): void {
  recordOther(engine, { id: name, name, type: "volume" }, status);
}

/** The same for an image; without a name it is known by its id. */
export function recordImageEvent(
  engine: Engine,
  { id, name = "" }: { readonly id: string; readonly name?: string | undefined },
  status: EventStatus,
): void {
  recordOther(engine, { id, name, type: "image" }, status);
}

function recordOther(
  engine: Engine,
  what: Pick<EngineEvent, "id" | "name" | "type">,
  status: EventStatus,
): void {
  const line = () => otherJournalLine(what, status, new Date());
  record(engine, line, `the event "${status}" of the ${what.type} "${what.name || what.id}"`);
}

function record(engine: Engine, line: () => string, event: string): void {
  try {
    append(engine, line());
  } catch (error) {
    engine.warn(`${event} is not recorded: ${String(error)}`);
  }
}

function append(engine: Engine, line: string): void {
  const path = journalPath(engine);
  const fd = openJournal(path);
  try {
    writeSync(fd, line);
    if (fstatSync(fd).size > JOURNAL_MAX_BYTES) rotate(engine, path);
  } finally {
    closeSync(fd);
  }
}

function openJournal(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    makeDirectories(dirname(path), 0o711);
    return openSync(path, "a", 0o600);
  }
}

function rotate(engine: Engine, path: string): void {
  using held = tryLockShared(engine, "events");
  // Without the lock, or with a file that is small again, somebody else has just done it.
  if (held && statSync(path).size > JOURNAL_MAX_BYTES) renameSync(path, rotatedJournal(path));
}

export function rotatedJournal(path: string): string {
  return `${path}.1`;
}
