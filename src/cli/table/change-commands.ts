/** Commands that change containers that are there. */
import { CONTAINER, CONTAINERS, RUNNING_ONES } from "./arguments.ts";
import { LIMIT_OPTIONS } from "./limit-options.ts";
import { ALL, ignoreMissing, TIME } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const CHANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "stop",
    group: "Change containers",
    summary: "Stop containers: ask first, then kill",
    arguments: [RUNNING_ONES],
    options: [ALL, { ...TIME }, ignoreMissing("stop")],
    description: [
      "Sends each container's stop signal and waits; when the time is over, every process in it is killed at once, however many there are. A container that has ended already is fine.",
    ],
    examples: [
      { command: "tsrun stop web", meaning: "Wait up to its stop timeout" },
      { command: "tsrun stop -t 0 web", meaning: "Kill right after asking" },
      { command: "tsrun stop --all", meaning: "Stop whatever runs" },
    ],
    load: () => import("../commands/stop.ts"),
  },
  {
    name: "restart",
    group: "Change containers",
    summary: "Stop containers and start them again",
    arguments: [CONTAINERS],
    options: [ALL, TIME],
    description: ["Stops each container as stop does, if it runs, and starts it again."],
    examples: [{ command: "tsrun restart web", meaning: "Restart one" }],
    load: () => import("../commands/restart.ts"),
  },
  {
    name: "kill",
    group: "Change containers",
    summary: "Send a signal to containers",
    arguments: [RUNNING_ONES],
    options: [
      { ...ALL, summary: "All containers that run" },
      {
        name: "signal",
        short: "s",
        kind: "value",
        placeholder: "SIGNAL",
        summary: "Which signal, by name or number",
        default: "KILL",
        completion: "signals",
      },
    ],
    description: [
      "Sends the signal to the container's first process. KILL ends it, and with it everything in the container.",
    ],
    examples: [
      { command: "tsrun kill web", meaning: "End it at once" },
      { command: "tsrun kill -s HUP web", meaning: "Make it read its configuration again" },
    ],
    load: () => import("../commands/kill.ts"),
  },
  {
    name: "pause",
    group: "Change containers",
    summary: "Freeze all processes of containers",
    arguments: [RUNNING_ONES],
    options: [{ ...ALL, summary: "All containers that run" }],
    description: ["Freezes the container's cgroup: no process in it gets cpu time until resume."],
    examples: [{ command: "tsrun pause web", meaning: "Freeze it" }],
    load: () => import("../commands/pause.ts"),
  },
  {
    name: "resume",
    aliases: ["unpause"],
    group: "Change containers",
    summary: "Let paused containers run on",
    arguments: [RUNNING_ONES],
    options: [{ ...ALL, summary: "All containers that are paused" }],
    description: ["Thaws what pause froze."],
    examples: [{ command: "tsrun resume web", meaning: "Thaw it" }],
    load: () => import("../commands/resume.ts"),
  },
  {
    name: "rename",
    group: "Change containers",
    summary: "Give a container another name",
    arguments: [CONTAINER, { name: "NAME", required: true, variadic: false }],
    options: [],
    description: ["The id stays. Running containers can be renamed, too."],
    examples: [{ command: "tsrun rename web web-old", meaning: "Make room for a new one" }],
    load: () => import("../commands/rename.ts"),
  },
  {
    name: "update",
    group: "Change containers",
    summary: "Change limits of a container",
    arguments: [CONTAINER],
    options: [
      ...LIMIT_OPTIONS,
      {
        name: "disk",
        kind: "value",
        placeholder: "SIZE",
        summary: "Grow its own disk, if it was created with --disk",
      },
    ],
    description: [
      "Changes the limits that are given and leaves the others. In a running container they hold at once, and they are kept for its next starts.",
    ],
    examples: [
      { command: "tsrun update --memory 1g --cpus 2 web", meaning: "Give it more" },
      { command: "tsrun update --disk 20g web", meaning: "A larger disk" },
    ],
    load: () => import("../commands/update.ts"),
  },
  {
    name: "rm",
    aliases: ["remove"],
    group: "Change containers",
    summary: "Remove containers with what they have written",
    arguments: [CONTAINERS],
    options: [
      { ...ALL, summary: "All containers" },
      {
        name: "force",
        short: "f",
        kind: "flag",
        summary: "Kill those that run; missing ones are fine",
      },
      {
        ...TIME,
        summary: "With --force: how long they may take to stop by themselves (not at all)",
      },
      {
        name: "volumes",
        short: "v",
        kind: "flag",
        summary: "Also the volumes without a name that were made for them",
      },
      {
        name: "backup",
        kind: "value",
        placeholder: "FILE",
        summary: "Stop it and save it in a file first; if that fails, nothing is removed",
        completion: "files",
      },
      ignoreMissing("remove"),
    ],
    description: [
      "Removes the container's writable layer, log and record. Images and named volumes are left alone.",
    ],
    examples: [
      { command: "tsrun rm job", meaning: "One that has ended" },
      { command: "tsrun rm -f web", meaning: "One that runs" },
      { command: "tsrun rm -f -a", meaning: "All" },
      { command: "tsrun rm --backup web.backup web", meaning: "Stop, save, remove" },
    ],
    load: () => import("../commands/rm.ts"),
  },
  {
    name: "container prune",
    group: "Change containers",
    summary: "Remove all containers that do not run",
    arguments: [],
    options: [
      {
        name: "filter",
        kind: "list",
        placeholder: "KEY=VALUE",
        summary: "name=, label=KEY[=VALUE], ancestor=IMAGE, exited=CODE",
      },
      { name: "force", short: "f", kind: "flag", summary: "Ask nothing" },
    ],
    description: [
      "Shows what would be removed and asks; prints the ids of what was removed. A container with snapshots stays: see `tsrun rm`.",
    ],
    examples: [
      { command: "tsrun container prune", meaning: "Show, ask, remove" },
      { command: "tsrun container prune -f --filter label=ci", meaning: "In a script" },
    ],
    load: () => import("../commands/container-prune.ts"),
  },
  {
    name: "cp",
    group: "Change containers",
    summary: "Copy files between a container and the host",
    arguments: [
      { name: "SOURCE", required: true, variadic: false, completion: "files" },
      { name: "TARGET", required: true, variadic: false, completion: "files" },
    ],
    options: [
      {
        name: "overwrite",
        kind: "flag",
        summary: "Let a file replace a directory, and the reverse",
      },
    ],
    description: [
      "One of the two is CONTAINER:PATH, the other a path of the host, or - for a tar stream on stdin or stdout. A directory is copied with all that is in it: into an existing directory under its own name, to a new path under that name. SOURCE/. is a directory's contents alone.",
      "Works whether the container runs or not. Links in the container never lead out of it.",
    ],
    examples: [
      { command: "tsrun cp web:/etc/hosts .", meaning: "Out" },
      { command: "tsrun cp ./site/. web:/www", meaning: "In, the contents" },
      { command: "tsrun cp web:/www - | gzip > www.tar.gz", meaning: "As an archive" },
    ],
    load: () => import("../commands/cp.ts"),
  },
];
