import { type EngineInfo, engineInfo } from "../info.ts";
import { engineFor, type StoreOptions } from "./options.ts";

/** What tsrun has here to work with: the host, the store, and the controllers that limits need. */
export function info(options: StoreOptions = {}): Promise<EngineInfo> {
  return engineInfo(engineFor(options));
}
