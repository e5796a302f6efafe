/** Commands that tell what containers do. */
import { CONTAINER, RUNNING, RUNNING_ONES } from "./arguments.ts";
import { ALL, FORMAT, ignoreMissing, NO_TRUNC, QUIET_IDS } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const LOOK_COMMANDS: readonly CommandSpec[] = [
  {
    name: "logs",
    group: "Look at containers",
    summary: "Show what a container has written",
    arguments: [CONTAINER],
    options: [
      {
        name: "follow",
        short: "f",
        kind: "flag",
        summary: "Go on with what it writes, until it ends",
      },
      {
        name: "since",
        kind: "value",
        placeholder: "TIME",
        summary: "From then on: 10m ago, 2026-01-31T12:00:00Z or Unix seconds",
      },
      { name: "until", kind: "value", placeholder: "TIME", summary: "Up to then" },
      {
        name: "tail",
        short: "n",
        kind: "value",
        placeholder: "LINES",
        summary: "The last lines alone",
        default: "all",
      },
      { name: "timestamps", short: "t", kind: "flag", summary: "Put the time before each line" },
    ],
    description: [
      "The log is kept by the container's supervisor, whether anybody is attached or not, and outlives the container's end. What it wrote to stderr goes to stderr.",
    ],
    examples: [
      { command: "tsrun logs -f --tail 20 web", meaning: "The last lines and what comes" },
      { command: "tsrun logs --since 10m -t web", meaning: "Ten minutes, with times" },
    ],
    load: () => import("../commands/logs.ts"),
  },
  {
    name: "ps",
    aliases: ["ls", "list"],
    group: "Look at containers",
    withoutRoot: "as-is",
    summary: "List containers",
    arguments: [],
    options: [
      { ...ALL, summary: "Also those that do not run" },
      QUIET_IDS,
      NO_TRUNC,
      {
        name: "filter",
        short: "f",
        kind: "list",
        placeholder: "KEY=VALUE",
        summary: "name=, id=, status=, label=KEY[=VALUE], ancestor=IMAGE, exited=CODE",
      },
      {
        name: "last",
        short: "n",
        kind: "value",
        placeholder: "NUMBER",
        summary: "The newest alone",
      },
      { name: "noheading", kind: "flag", summary: "Leave out the headings" },
      FORMAT,
    ],
    description: [
      "Lists containers, the newest first. Filters of one key are alternatives, filters of different keys must all hold.",
    ],
    examples: [
      { command: "tsrun ps -a", meaning: "All, whatever their state" },
      { command: "tsrun ps -q --filter label=app=web", meaning: "Ids, for a script" },
      {
        command: "tsrun ps --format 'table {{.Names}}\\t{{.Status}}'",
        meaning: "Columns of your own",
      },
    ],
    load: () => import("../commands/ps.ts"),
  },
  {
    name: "top",
    group: "Look at containers",
    summary: "Show the processes of a container",
    arguments: [RUNNING, { name: "COLUMN", required: false, variadic: true }],
    options: [FORMAT],
    description: [
      "Lists the container's processes as it sees them. Columns: user, pid, ppid, hpid, pcpu, etime, tty, time, rss, state, args.",
    ],
    examples: [
      { command: "tsrun top web", meaning: "The usual columns" },
      { command: "tsrun top web pid hpid args", meaning: "With the pids of the host" },
    ],
    load: () => import("../commands/top.ts"),
  },
  {
    name: "inspect",
    group: "Look at containers",
    withoutRoot: "as-is",
    summary: "Show everything about containers or images as JSON",
    arguments: [{ ...CONTAINER, variadic: true }],
    options: [
      { ...FORMAT, short: "f" },
      {
        name: "type",
        kind: "value",
        placeholder: "TYPE",
        summary: "What the names are of",
        choices: ["all", "container", "image"],
        default: "all",
      },
    ],
    description: [
      "Prints a JSON array, or one line for each with a template. A name that is no container's is looked for among the images.",
    ],
    examples: [
      { command: "tsrun inspect web", meaning: "All of it" },
      { command: "tsrun inspect -f '{{.State.Pid}}' web", meaning: "One field" },
    ],
    load: () => import("../commands/inspect.ts"),
  },
  {
    name: "stats",
    group: "Look at containers",
    summary: "Show what containers use: cpu, memory, io, pids, pressure",
    arguments: [RUNNING_ONES],
    options: [
      { ...ALL, summary: "Also those that do not run" },
      { name: "no-stream", kind: "flag", summary: "Once, instead of again and again" },
      {
        name: "interval",
        short: "i",
        kind: "value",
        placeholder: "SECONDS",
        summary: "How often",
        default: "1",
      },
      NO_TRUNC,
      FORMAT,
    ],
    description: [
      "Reads cgroup v2 of the containers that are named, or of all that run. PRESSURE is how much of the last ten seconds some process waited for cpu, memory and io.",
    ],
    examples: [
      { command: "tsrun stats", meaning: "Live, of all" },
      { command: "tsrun stats --no-stream --format json web", meaning: "One, for a script" },
    ],
    load: () => import("../commands/stats.ts"),
  },
  {
    name: "wait",
    group: "Look at containers",
    summary: "Wait until containers end, and print their exit statuses",
    arguments: [{ ...CONTAINER, variadic: true }],
    options: [
      {
        name: "condition",
        kind: "value",
        placeholder: "STATE",
        summary: "What to wait for",
        choices: ["exited", "stopped", "running", "paused", "removed"],
        default: "exited",
      },
      ignoreMissing("wait for"),
    ],
    description: ["Prints one exit status a line, in the order of the names."],
    examples: [{ command: "tsrun wait job1 job2", meaning: "Wait for both" }],
    load: () => import("../commands/wait.ts"),
  },
  {
    name: "events",
    group: "Look at containers",
    withoutRoot: "as-is",
    summary: "Show what happens to containers, images and volumes, as it happens",
    arguments: [],
    options: [
      {
        name: "filter",
        short: "f",
        kind: "list",
        placeholder: "KEY=VALUE",
        summary: "container=, volume=, event=, image=, type=container, image or volume",
      },
      { name: "since", kind: "value", placeholder: "TIME", summary: "Begin with what was then" },
      { name: "until", kind: "value", placeholder: "TIME", summary: "End then" },
      {
        name: "stream",
        kind: "flag",
        summary: "Go on with what happens; --stream=false shows the past alone",
        default: "true",
      },
      FORMAT,
    ],
    description: ["Prints one JSON object a line, or what the template makes of it."],
    examples: [
      { command: "tsrun events --filter event=died", meaning: "Wait for ends" },
      { command: "tsrun events --since 1h --stream=false", meaning: "The last hour" },
    ],
    load: () => import("../commands/events.ts"),
  },
  {
    name: "diff",
    group: "Look at containers",
    withoutRoot: "in-namespace",
    summary: "Show what a container has changed in its image",
    arguments: [{ ...CONTAINER, name: "CONTAINER|IMAGE" }],
    options: [FORMAT],
    description: [
      "One path a line: A added, C changed, D deleted. Of an image it shows what its uppermost layer changes in those below.",
    ],
    examples: [
      { command: "tsrun diff web", meaning: "What it wrote" },
      { command: "tsrun diff web:patched", meaning: "What the last commit added" },
    ],
    load: () => import("../commands/diff.ts"),
  },
];
