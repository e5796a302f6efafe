/** Commands that keep what a container has changed, go back to it, and make another container of it. */
import { CONTAINER } from "./arguments.ts";
import { FORMAT } from "./shared-options.ts";
import type { ArgumentSpec, CommandSpec } from "./types.ts";

const SNAPSHOT: ArgumentSpec = { name: "SNAPSHOT", required: true, variadic: false };

export const SNAPSHOT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "snapshot",
    group: "Change containers",
    summary: "Keep a container's root as it is now",
    arguments: [CONTAINER, { ...SNAPSHOT, required: false }],
    options: [],
    description: [
      "Keeps what the container has changed under a name, snap0, snap1 and so on without one, and prints it. Of a container that does not run nothing is copied: it takes the same time whatever the size. One that runs is frozen while what it has changed is copied, so that the snapshot shows one moment; on btrfs and xfs the copy shares its blocks.",
      "A snapshot has the files of the root. Volumes, options and limits are not in it.",
    ],
    examples: [
      { command: "tsrun snapshot web before-upgrade", meaning: "With a name of its own" },
      { command: "tsrun snapshot web", meaning: "As snap0, snap1 …" },
    ],
    load: () => import("../commands/snapshot.ts"),
  },
  {
    name: "snapshot rm",
    group: "Change containers",
    summary: "Remove snapshots of a container",
    arguments: [CONTAINER, { ...SNAPSHOT, variadic: true }],
    options: [],
    description: [
      "Forgets the snapshots and deletes what only they have kept. What the container or a clone stands on stays.",
    ],
    examples: [{ command: "tsrun snapshot rm web before-upgrade", meaning: "Remove one" }],
    load: () => import("../commands/snapshot-rm.ts"),
  },
  {
    name: "snapshots",
    group: "Look at containers",
    summary: "List the snapshots of a container",
    arguments: [CONTAINER],
    options: [
      { name: "quiet", short: "q", kind: "flag", summary: "Names alone" },
      { name: "noheading", kind: "flag", summary: "Leave out the headings" },
      FORMAT,
    ],
    description: [
      "Oldest first. SIZE is what was changed between the snapshot before and this one.",
    ],
    examples: [
      { command: "tsrun snapshots web", meaning: "As a table" },
      { command: "tsrun snapshots --format '{{.Name}}' web", meaning: "One name a line" },
    ],
    load: () => import("../commands/snapshots.ts"),
  },
  {
    name: "restore",
    group: "Change containers",
    summary: "Give a container the root of one of its snapshots",
    arguments: [CONTAINER, SNAPSHOT],
    options: [],
    description: [
      "The container must not run. What it has changed since, and is in no snapshot, is deleted; the snapshot stays. Volumes, options and limits are left as they are.",
    ],
    examples: [
      {
        command: "tsrun stop web && tsrun restore web before-upgrade && tsrun start web",
        meaning: "Back to where it was",
      },
    ],
    load: () => import("../commands/restore.ts"),
  },
  {
    name: "clone",
    group: "Run containers",
    summary: "Create a container from another one, with all that it has changed",
    arguments: [CONTAINER, { name: "NAME", required: false, variadic: false }],
    options: [
      {
        name: "snapshot",
        kind: "value",
        placeholder: "SNAPSHOT",
        summary: "What it had at that snapshot, and not what it has now",
      },
      {
        name: "clear-identity",
        kind: "flag",
        summary: "Without the original's machine-id, ssh host keys and random seed",
      },
      {
        name: "root-mode",
        kind: "value",
        placeholder: "MODE",
        summary: "private, shared or ephemeral; the original's without it",
        choices: ["private", "shared", "ephemeral"],
      },
    ],
    description: [
      "Prints the new container's id. It has the original's options and files; both go on from there, each with changes of its own. Nothing is copied, and neither minds if the other is removed. Only of an original that runs, without --snapshot, what it has changed is copied while it is frozen.",
      "The clone has a host name of its own: its id, or its name where the original was given one. With --root-mode shared it is a template: each of its starts begins as the original was.",
    ],
    examples: [
      { command: "tsrun clone web web2", meaning: "One more" },
      { command: "tsrun clone --snapshot before-upgrade web trial", meaning: "As it was then" },
      {
        command: "tsrun clone --clear-identity --root-mode shared golden lesson",
        meaning: "A machine of its own that begins clean each time",
      },
    ],
    load: () => import("../commands/clone.ts"),
  },
];
