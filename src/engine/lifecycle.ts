/**
 * The lifecycle as data: which command is legal in which status. `done` is the status that the command
 * is after anyway, so it has nothing to do; what a cell does not name is refused with the sentence and
 * hint of its status.
 *
 *     create → created ─start→ starting → running ⇄ paused
 *                 ↑ start                    │
 *              exited ←──────────────────────┘        rm: created, exited → (gone)
 */
import { TsrunError } from "../base/errors.ts";
import type { ContainerConfig, ContainerStatus } from "./records.ts";

export type LifecycleCommand =
  | "start"
  | "stop"
  | "kill"
  | "pause"
  | "resume"
  | "exec"
  | "attach"
  | "remove"
  | "rename"
  | "update"
  | "stats"
  | "top"
  | "snapshot"
  | "restore"
  | "clone";

interface Rule {
  readonly legal: readonly ContainerStatus[];
  readonly done?: readonly ContainerStatus[];
}

export const LIFECYCLE: Readonly<Record<LifecycleCommand, Rule>> = {
  start: { legal: ["created", "exited"] },
  stop: { legal: ["running", "paused"], done: ["created", "exited"] },
  kill: { legal: ["running", "paused"] },
  pause: { legal: ["running"] },
  resume: { legal: ["paused"] },
  exec: { legal: ["running"] },
  attach: { legal: ["running", "paused"] },
  remove: { legal: ["created", "exited"] },
  rename: { legal: ["created", "starting", "running", "paused", "exited"] },
  update: { legal: ["created", "running", "paused", "exited"] },
  stats: { legal: ["running", "paused"] },
  top: { legal: ["running", "paused"] },
  snapshot: { legal: ["created", "running", "paused", "exited"] },
  restore: { legal: ["created", "exited"] },
  clone: { legal: ["created", "running", "paused", "exited"] },
};

const VERBS: Readonly<Record<LifecycleCommand, string>> = {
  start: "start",
  stop: "stop",
  kill: "send a signal to",
  pause: "pause",
  resume: "resume",
  exec: "execute a command in",
  attach: "attach to",
  remove: "remove",
  rename: "rename",
  update: "update",
  stats: "measure",
  top: "list the processes of",
  snapshot: "take a snapshot of",
  restore: "restore",
  clone: "clone",
};

const CONDITIONS: Readonly<Record<ContainerStatus, string>> = {
  created: "it is not running",
  starting: "it is just being started",
  running: "it is running",
  paused: "it is paused",
  exited: "it is not running",
  removing: "it is being removed",
};

const HINTS: Readonly<Record<ContainerStatus, (name: string) => string>> = {
  created: (name) => `Start it with \`tsrun start ${name}\`.`,
  starting: (name) => `Wait a moment; \`tsrun inspect ${name}\` tells how far it is.`,
  running: (name) => `Stop it first with \`tsrun stop ${name}\`.`,
  paused: (name) => `Resume it first with \`tsrun resume ${name}\`.`,
  exited: (name) => `Start it with \`tsrun start ${name}\`.`,
  removing: () => "It will be gone in a moment.",
};

/**
 * Whether there is something to do: true if the command is legal, false if the container already is
 * what the command would make of it. Throws WRONG_STATE for everything else.
 */
export function checkLifecycle(
  command: LifecycleCommand,
  status: ContainerStatus,
  { name }: Pick<ContainerConfig, "name">,
): boolean {
  const rule = LIFECYCLE[command];
  if (rule.legal.includes(status)) return true;
  if (rule.done?.includes(status)) return false;
  throw new TsrunError(
    "WRONG_STATE",
    `cannot ${VERBS[command]} the container "${name}": ${CONDITIONS[status]}`,
    { hint: hintFor(command, status, name) },
  );
}

function hintFor(command: LifecycleCommand, status: ContainerStatus, name: string): string {
  const alive = status === "running" || status === "paused";
  if (command === "remove" && alive) {
    return `Stop it first with \`tsrun stop ${name}\`, or remove it with \`tsrun rm --force ${name}\`.`;
  }
  if (command === "start" && status === "running") {
    return `Follow it with \`tsrun attach ${name}\`, or start it anew with \`tsrun restart ${name}\`.`;
  }
  if (command === "resume" && status === "running")
    return "Only a paused container can be resumed.";
  return HINTS[status](name);
}
