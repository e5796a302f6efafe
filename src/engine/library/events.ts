import type { EngineEvent } from "../events/event.ts";
import { type WatchEventsOptions, watchEvents } from "../events/watch.ts";
import { engineFor, type StoreOptions } from "./options.ts";

/** What happened, and with `follow` what happens, to containers. */
export function events(
  options: WatchEventsOptions & StoreOptions = {},
): AsyncGenerator<EngineEvent, void, undefined> {
  return watchEvents(engineFor(options), options);
}
