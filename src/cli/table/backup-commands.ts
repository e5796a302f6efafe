/** Commands for backups. */
import { CONTAINER } from "./arguments.ts";
import { FORMAT } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const BACKUP_COMMANDS: readonly CommandSpec[] = [
  {
    name: "backup create",
    aliases: ["backup"],
    group: "Backups",
    summary: "Save a container with its volumes and snapshots in one file",
    arguments: [CONTAINER, { name: "FILE", required: true, variadic: false, completion: "files" }],
    options: [
      {
        name: "with-image",
        kind: "flag",
        summary: "Put the image's layers in, too: then it can be restored on any machine",
      },
      {
        name: "incremental-since",
        kind: "value",
        placeholder: "BACKUP",
        summary: "Save only what has changed since this backup: a file, or the id of the last",
        completion: "files",
      },
    ],
    description: [
      "FILE gets the container's settings, what it has changed in its image's files, its volumes and its snapshots, packed with zstd, and a digest of every part. It is replaced when the backup is complete, not before. Prints the backup's id. A running container stands still meanwhile.",
      "Directories of the host (bind mounts, volumes with o=bind), tmpfs and devices are not in it.",
      "A file counts as changed if its inode or one of its times did. To restore an incremental backup, the one that it builds on is needed.",
    ],
    examples: [
      { command: "tsrun backup web web.backup", meaning: "All of it but the image" },
      { command: "tsrun backup --with-image web web.backup", meaning: "For another machine" },
      {
        command: "tsrun backup --incremental-since web.backup web web.monday",
        meaning: "What has changed since",
      },
    ],
    load: () => import("../commands/backup-create.ts"),
  },
  {
    name: "backup restore",
    group: "Backups",
    summary: "Make a container from backups",
    arguments: [{ name: "FILE", required: true, variadic: true, completion: "files" }],
    options: [
      {
        name: "name",
        kind: "value",
        placeholder: "NAME",
        summary: "Its name, instead of the one that it had",
      },
      {
        name: "ignore-volumes",
        kind: "flag",
        summary: "Use volumes that are here already as they are",
      },
    ],
    description: [
      "FILE is a whole backup; after it come those that were made since, in their order. Everything is unpacked aside and compared with its digests before anything of it is used. Prints the new container's id; it is not started.",
      "Its settings are those that it had: look at `tsrun inspect` before you start one from somebody you do not trust.",
    ],
    examples: [
      { command: "tsrun backup restore web.backup", meaning: "As it was" },
      {
        command: "tsrun backup restore --name web2 --ignore-volumes web.backup web.monday",
        meaning: "Beside the one that is there, with the same volumes, as of Monday",
      },
    ],
    load: () => import("../commands/backup-restore.ts"),
  },
  {
    name: "backup inspect",
    group: "Backups",
    withoutRoot: "as-is",
    summary: "Read a backup, check its digests, and show what it is of",
    arguments: [{ name: "FILE", required: true, variadic: true, completion: "files" }],
    options: [{ ...FORMAT, short: "f" }],
    description: ["Prints a JSON array, or one line for each with a template."],
    examples: [
      { command: "tsrun backup inspect web.backup", meaning: "Its id, its container, its parts" },
    ],
    load: () => import("../commands/backup-inspect.ts"),
  },
];
