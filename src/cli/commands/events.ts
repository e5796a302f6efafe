import {
  type EngineEvent,
  EVENT_STATUSES,
  EVENT_TYPES,
  type EventFilters,
  type WatchEventsOptions,
  watchEvents,
} from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice, parseFilters } from "../filters.ts";
import { compileTemplate } from "../format/template.ts";
import type { ValueRecord } from "../format/value.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { parseTime } from "../time.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const format = options.value("format");
  const template = format === undefined || format === "json" ? undefined : compileTemplate(format);
  const since = options.value("since");
  const until = options.value("until");
  const watch: WatchEventsOptions = {
    filters: parseEventFilters(options.list("filter")),
    follow: options.flag("stream"),
    ...(since === undefined ? {} : { since: parseTime("--since", since) }),
    ...(until === undefined ? {} : { until: parseTime("--until", until) }),
  };
  for await (const event of watchEvents(openEngineFor(globals), watch)) {
    printLine(template ? template.render(eventRow(event)) : JSON.stringify(event));
  }
}

function parseEventFilters(texts: readonly string[]): EventFilters {
  const { status, ...filters } = parseFilters(texts, [
    "container",
    "event",
    "image",
    "status",
    "type",
    "volume",
  ] as const);
  const statuses = [...(filters.event ?? []), ...(status ?? [])];
  for (const each of filters.type ?? []) parseChoice("--filter type", each, EVENT_TYPES);
  for (const each of statuses) parseChoice("--filter event", each, EVENT_STATUSES);
  return { ...filters, ...(statuses.length > 0 ? { event: statuses } : {}) };
}

/** podman's field names. */
function eventRow(event: EngineEvent): ValueRecord {
  return {
    ID: event.id,
    Name: event.name,
    Image: event.image ?? "",
    Type: event.type,
    Status: event.status,
    Time: event.time,
    ContainerExitCode: event.exitCode ?? "",
    Signal: event.signal ?? "",
    OldName: event.oldName ?? "",
    Command: event.command ?? "",
  };
}
