/**
 * ROOT/containers/ID/exit.json: how the last run ended. The supervisor (native/record.c) writes it whole,
 * beside its place, and renames it: it is there entirely or not at all.
 */
import { readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import type { ExitRecord } from "./records.ts";
import { damagedRecord } from "./store/config.ts";
import { storeError } from "./store/store-error.ts";

/** undefined while no run has ended. Throws STORE_UNAVAILABLE if the file is there and is no exit record. */
export function readExitRecord(path: string): ExitRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError("read", path, error);
  }
  return parseExitRecord(text, path);
}

/** `path` is for the error: STORE_UNAVAILABLE for what no supervisor wrote. */
export function parseExitRecord(text: string, path: string): ExitRecord {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (error) {
    throw damagedRecord(path, error);
  }
  if (!isExitRecord(record)) throw damagedRecord(path, new Error("it is no exit record"));
  return record;
}

const FIELDS: Readonly<Record<keyof ExitRecord, (value: unknown) => boolean>> = {
  pid: Number.isInteger,
  exitCode: isIntegerOrNull,
  signal: isIntegerOrNull,
  oomKilled: (value) => typeof value === "boolean",
  oomKills: Number.isInteger,
  finishedAt: (value) => typeof value === "string",
  logLost: Number.isInteger,
};

function isExitRecord(value: unknown): value is ExitRecord {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(FIELDS).every(([field, fits]) =>
    fits((value as Record<string, unknown>)[field]),
  );
}

function isIntegerOrNull(value: unknown): boolean {
  return value === null || Number.isInteger(value);
}
