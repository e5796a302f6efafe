import { dirname } from "node:path";
import { type Engine, journalPath } from "../engine.ts";
import type { ContainerId, ExitRecord } from "../records.ts";
import { DirectoryChanges } from "./changes.ts";
import { type EngineEvent, type EventFilters, eventFits } from "./event.ts";
import { JournalReader } from "./reader.ts";

export interface WatchEventsOptions {
  readonly since?: Date;
  readonly until?: Date;
  readonly filters?: EventFilters;
  /** Go on with what happens from now on; without it, the past only. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Events in the order in which they were written. With `follow` and without `since`, only new ones.
 * The signal ends the iteration quietly: a follower is meant to be stopped.
 */
export async function* watchEvents(
  engine: Engine,
  options: WatchEventsOptions = {},
): AsyncGenerator<EngineEvent, void, undefined> {
  const { follow = false, since, until, signal } = options;
  const path = journalPath(engine);
  // The watch begins before the reading: nothing falls between the two.
  using changes = follow ? new DirectoryChanges(dirname(path)) : undefined;
  using reader = new JournalReader(path, follow && !since ? "now" : "start");
  for (let more = true; more; ) {
    yield* selectEvents(reader.read(), options);
    more = changes !== undefined && (await changes.next({ until, signal })) === "changed";
  }
}

function* selectEvents(
  events: Iterable<EngineEvent>,
  { since, until, filters = {} }: WatchEventsOptions,
): Generator<EngineEvent> {
  for (const event of events) {
    const time = Date.parse(event.time);
    const inTime = (!since || time >= since.getTime()) && (!until || time <= until.getTime());
    if (inTime && eventFits(event, filters)) yield event;
  }
}

/** How a container that has been removed meanwhile ended, if the journal still knows. */
export function readJournaledExit(
  engine: Engine,
  id: ContainerId,
): Pick<ExitRecord, "exitCode" | "signal"> | undefined {
  using reader = new JournalReader(journalPath(engine), "start");
  let last: EngineEvent | undefined;
  for (const event of reader.read()) {
    if (event.id === id && event.status === "died") last = event;
  }
  if (!last) return undefined;
  const { exitCode = null, signal = null } = last;
  return { exitCode, signal: typeof signal === "number" ? signal : null };
}
