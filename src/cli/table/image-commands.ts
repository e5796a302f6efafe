/** Commands for images. */
import { IMAGE } from "./arguments.ts";
import { FORMAT, NO_TRUNC, QUIET_IDS } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const IMAGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "image import",
    group: "Images",
    summary: "Make an image of a directory or a tar archive",
    arguments: [
      { name: "SOURCE", required: true, variadic: false, completion: "files" },
      { name: "NAME", required: true, variadic: false },
    ],
    options: [
      {
        name: "entrypoint",
        kind: "value",
        placeholder: "COMMAND",
        summary: 'What its containers run: a program, or ["a","JSON","array"]',
      },
      {
        name: "cmd",
        kind: "value",
        placeholder: "COMMAND",
        summary:
          "The arguments, or the command where there is no entrypoint; a JSON array for several",
      },
      { name: "env", short: "e", kind: "list", placeholder: "NAME=VALUE", summary: "A variable" },
      {
        name: "workdir",
        short: "w",
        kind: "value",
        placeholder: "DIR",
        summary: "Where they start",
      },
      { name: "user", short: "u", kind: "value", placeholder: "USER", summary: "Who they run as" },
      { name: "label", short: "l", kind: "list", placeholder: "KEY=VALUE", summary: "A label" },
      {
        name: "stop-signal",
        kind: "value",
        placeholder: "SIGNAL",
        summary: "What stop sends first",
        completion: "signals",
      },
      { name: "quiet", short: "q", kind: "flag", summary: "Print the id alone" },
    ],
    description: [
      "SOURCE is a directory with a root file system, a tar archive of one (also compressed), or - for an archive on stdin. NAME is the image's name and tag, such as debian:12.",
    ],
    examples: [
      { command: "tsrun image import ./rootfs debian:12", meaning: "A directory" },
      { command: "tsrun image import --cmd sh busybox.tar busybox", meaning: "An archive" },
    ],
    load: () => import("../commands/image-import.ts"),
  },
  {
    name: "image ls",
    aliases: ["image list", "images"],
    group: "Images",
    summary: "List images",
    arguments: [],
    options: [
      QUIET_IDS,
      NO_TRUNC,
      { name: "noheading", kind: "flag", summary: "Leave out the headings" },
      FORMAT,
    ],
    description: ["Lists images, the newest first."],
    examples: [{ command: "tsrun image ls", meaning: "All" }],
    load: () => import("../commands/image-ls.ts"),
  },
  {
    name: "image inspect",
    group: "Images",
    summary: "Show everything about images as JSON",
    arguments: [{ ...IMAGE, variadic: true }],
    options: [{ ...FORMAT, short: "f" }],
    description: ["Prints a JSON array, or one line for each with a template."],
    examples: [{ command: "tsrun image inspect busybox", meaning: "All of it" }],
    load: () => import("../commands/image-inspect.ts"),
  },
  {
    name: "image rm",
    aliases: ["image remove", "rmi"],
    group: "Images",
    summary: "Remove images",
    arguments: [{ ...IMAGE, variadic: true }],
    options: [
      {
        name: "force",
        short: "f",
        kind: "flag",
        summary: "Remove also the containers made from it; missing images are fine",
      },
    ],
    description: [
      "Removes the name, and the image with its last name. An image that a container was made from is kept.",
    ],
    examples: [{ command: "tsrun image rm busybox", meaning: "Remove one" }],
    load: () => import("../commands/image-rm.ts"),
  },
  {
    name: "image tag",
    aliases: ["tag"],
    group: "Images",
    summary: "Give an image another name",
    arguments: [IMAGE, { name: "NAME", required: true, variadic: true }],
    options: [],
    description: ["The image keeps the names that it has."],
    examples: [{ command: "tsrun image tag busybox busybox:stable", meaning: "One more name" }],
    load: () => import("../commands/image-tag.ts"),
  },
];
