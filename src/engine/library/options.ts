import { type Engine, type EngineOptions, openEngine } from "../engine.ts";

/** Where the library keeps things; every function that finds containers by name takes these. */
export type StoreOptions = Pick<EngineOptions, "root" | "runRoot"> & {
  /** Told of what no call failed of; process.emitWarning without it. */
  readonly onWarning?: (message: string) => void;
};

const engines = new Map<string, Engine>();

/** Engines have no state of their own: one for each place is enough. */
export function engineFor({ root, runRoot, onWarning }: StoreOptions = {}): Engine {
  const options = { ...(root ? { root } : {}), ...(runRoot ? { runRoot } : {}) };
  if (onWarning) return openEngine({ ...options, log: onWarning });
  const key = `${root ?? ""}\0${runRoot ?? ""}`;
  let engine = engines.get(key);
  if (!engine) {
    engine = openEngine({ ...options, log: emitWarning });
    engines.set(key, engine);
  }
  return engine;
}

function emitWarning(message: string): void {
  process.emitWarning(message, { type: "TsrunWarning" });
}
