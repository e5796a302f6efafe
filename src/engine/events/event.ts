/**
 * What happens to containers, as one JSON object a line of RUN/events.jsonl. Pure.
 */
import type { ContainerConfig, ContainerId } from "../records.ts";

export const EVENT_STATUSES = [
  "create",
  "start",
  "died",
  "oom",
  "stop",
  "kill",
  "pause",
  "unpause",
  "restart",
  "exec",
  "exec_died",
  "attach",
  "rename",
  "update",
  "remove",
  "log-error",
] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];

export interface EngineEvent {
  readonly id: ContainerId;
  readonly name: string;
  readonly image?: string;
  readonly type: "container";
  readonly status: EventStatus;
  /** RFC 3339, UTC. */
  readonly time: string;
  /** died, exec_died: 0–255, or null when a signal ended it. */
  readonly exitCode?: number | null;
  /** died, exec_died: what ended it; kill, stop: what was sent. */
  readonly signal?: number | string | null;
  /** rename: the name before. */
  readonly oldName?: string;
  /** exec: the command. */
  readonly command?: string;
}

export type EventDetails = Partial<
  Pick<EngineEvent, "exitCode" | "signal" | "oldName" | "command">
>;

/**
 * What every line about a container begins with: an object without its closing brace. Its supervisor
 * gets it as text and adds the rest.
 */
export function journalHead({ id, name, image }: ContainerConfig): string {
  const head = { id, name, ...(image ? { image: image.reference } : {}) };
  return JSON.stringify(head).slice(0, -1);
}

export function journalLine(
  config: ContainerConfig,
  { status, time, details }: { status: EventStatus; time: Date; details: EventDetails },
): string {
  const rest = { type: "container", status, ...details, time: time.toISOString() };
  return `${journalHead(config)},${JSON.stringify(rest).slice(1)}\n`;
}

export interface EventFilters {
  /** A container's name, or its id or the beginning of it. */
  readonly container?: readonly string[];
  readonly event?: readonly string[];
  readonly image?: readonly string[];
}

/** Of each key, one of the values has to fit; every key has to. */
export function eventFits(event: EngineEvent, filters: EventFilters): boolean {
  const { container, event: statuses, image } = filters;
  return (
    (!container || container.some((ref) => event.name === ref || event.id.startsWith(ref))) &&
    (!statuses || statuses.includes(event.status)) &&
    (!image || image.some((reference) => event.image === reference))
  );
}

/** undefined for a line that a full disk cut short. */
export function parseEvent(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
}
