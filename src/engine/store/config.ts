/**
 * ROOT/containers/ID/config.json. A container exists exactly as long as this file does.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { isContainerId } from "../container-id.ts";
import { containerPaths, containersDirectory, type Engine } from "../engine.ts";
import type { ContainerConfig, ContainerId } from "../records.ts";
import { inStore, storeError } from "./store-error.ts";

/**
 * A container that is removed when it ends cannot outlive a power cut anyway; every other one's
 * record is synced to the disk.
 */
export function writeConfig(engine: Engine, config: ContainerConfig): void {
  const path = containerPaths(engine, config.id).config;
  const durable = config.request.remove !== true;
  inStore("write", path, () =>
    writeFileAtomic(path, encodeConfig(config), { mode: 0o600, durable }),
  );
}

/** undefined if there is no such container. Throws STORE_UNAVAILABLE for an unreadable record. */
export function readConfig(engine: Engine, id: ContainerId): ContainerConfig | undefined {
  const path = containerPaths(engine, id).config;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError("read", path, error);
  }
  return decodeConfig(text, path);
}

/** From here on the container does not exist; what else there is of it is rubbish. */
export function removeConfig(engine: Engine, id: ContainerId): void {
  const path = containerPaths(engine, id).config;
  inStore("remove", path, () => rmSync(path, { force: true }));
}

/** Nanosecond offsets are the only values that JSON has no numbers for. */
export function encodeConfig(config: ContainerConfig): string {
  return JSON.stringify(config, (_key, value: unknown) =>
    typeof value === "bigint" ? { bigint: value.toString() } : value,
  );
}

export function decodeConfig(text: string, path: string): ContainerConfig {
  let config: ContainerConfig | null;
  try {
    // A record of hundreds of snapshots is parsed ten times as fast without a look at each value.
    const parsed: unknown = text.includes('"bigint"') ? JSON.parse(text, revive) : JSON.parse(text);
    config = parsed as ContainerConfig | null;
  } catch (error) {
    throw damagedRecord(path, error);
  }
  if (!config || !isContainerId(config.id)) throw damagedRecord(path, undefined);
  if (config.version === 1 || (config.version === 2 && config.layers)) return config;
  throw damagedRecord(path, undefined);
}

function revive(_key: string, value: unknown): unknown {
  return isBigintRecord(value) ? BigInt(value.bigint) : value;
}

function isBigintRecord(value: unknown): value is { bigint: string } {
  if (typeof value !== "object" || value === null) return false;
  const { bigint } = value as { bigint?: unknown };
  return typeof bigint === "string" && /^-?\d+$/.test(bigint) && Object.keys(value).length === 1;
}

export function damagedRecord(path: string, cause: unknown): TsrunError {
  return new TsrunError("STORE_UNAVAILABLE", `the record "${path}" is damaged`, {
    cause,
    hint: "Restore it, or remove its directory; `tsrun system check --repair` clears what then is left.",
  });
}

/** The ids of all containers, in no order; [] where nothing was ever made. */
export function listContainerIds(engine: Engine): ContainerId[] {
  const directory = containersDirectory(engine);
  try {
    return readdirSync(directory).filter(isContainerId);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw storeError("read", directory, error);
  }
}
