/**
 * What happens to containers, images and volumes, as one JSON object a line of RUN/events.jsonl. Pure.
 */
import type { ContainerConfig } from "../records.ts";

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
  "snapshot",
  "restore",
  "clone",
  "log-error",
  "mount",
  "unmount",
  "commit",
  "export",
  "pull",
  "push",
  "import",
  "build",
  "load",
  "save",
  "tag",
  "untag",
  "promote",
] as const;
export const EVENT_TYPES = ["container", "image", "volume"] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];

export interface EngineEvent {
  /** Of a container or an image; of a volume its name. */
  readonly id: string;
  readonly name: string;
  readonly image?: string;
  readonly type: (typeof EVENT_TYPES)[number];
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

/** The same for an image, or for a volume, whose name is all that it has. */
export function otherJournalLine(
  what: Pick<EngineEvent, "id" | "name" | "type">,
  status: EventStatus,
  time: Date,
): string {
  const { id, name, type } = what;
  return `${JSON.stringify({ id, name, type, status, time: time.toISOString() })}\n`;
}

export interface EventFilters {
  /** A container's name, or its id or the beginning of it. */
  readonly container?: readonly string[];
  readonly event?: readonly string[];
  readonly image?: readonly string[];
  readonly type?: readonly string[];
  readonly volume?: readonly string[];
}

/** Of each key, one of the values has to fit; every key has to. */
export function eventFits(event: EngineEvent, filters: EventFilters): boolean {
  return (Object.keys(TESTS) as (keyof EventFilters)[]).every((key) => {
    const values = filters[key];
    return values === undefined || values.some((value) => TESTS[key](event, value));
  });
}

const TESTS: Readonly<Record<keyof EventFilters, (event: EngineEvent, value: string) => boolean>> =
  {
    container: ({ type, name, id }, value) =>
      type === "container" && (name === value || id.startsWith(value)),
    event: ({ status }, value) => status === value,
    image: ({ type, image, name, id }, value) =>
      type === "image" ? name === value || id.startsWith(value) : image === value,
    type: ({ type }, value) => type === value,
    volume: ({ type, name }, value) => type === "volume" && name === value,
  };

/** undefined for a line that a full disk cut short. */
export function parseEvent(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
}
