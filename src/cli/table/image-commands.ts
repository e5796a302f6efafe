/** Commands for images. */
import { CONTAINER, IMAGE } from "./arguments.ts";
import type { OptionSpec } from "./option-spec.ts";
import { PLATFORM } from "./registry-options.ts";
import {
  FORMAT,
  NO_TRUNC,
  OUTPUT_FILE,
  PRUNE_ALL,
  PRUNE_BUILD_CACHE,
  QUIET_IDS,
} from "./shared-options.ts";
import type { ArgumentSpec, CommandSpec } from "./types.ts";

const NAME: ArgumentSpec = {
  name: "NAME",
  required: true,
  variadic: false,
  completion: "images",
};

const MESSAGE: OptionSpec = {
  name: "message",
  short: "m",
  kind: "value",
  placeholder: "TEXT",
  summary: "What the image's history says of it",
};

const CHANGE: OptionSpec = {
  name: "change",
  short: "c",
  kind: "list",
  placeholder: "INSTRUCTION",
  summary:
    "Change what its containers do: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Containerfile",
};

const COMPRESSION_FORMAT: OptionSpec = {
  name: "compression-format",
  kind: "value",
  placeholder: "FORMAT",
  summary: "How the layer is packed for registries: gzip for those that do not know zstd",
  default: "zstd",
  choices: ["zstd", "gzip"],
};

export const IMAGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "commit",
    group: "Images",
    summary: "Make an image of what a container has changed",
    arguments: [CONTAINER, { name: "NAME", required: false, variadic: false }],
    options: [
      {
        name: "author",
        short: "a",
        kind: "value",
        placeholder: "AUTHOR",
        summary: "Who the image says it is from",
      },
      MESSAGE,
      CHANGE,
      {
        name: "pause",
        short: "p",
        kind: "flag",
        summary: "Let a container that runs stand still meanwhile",
      },
      {
        name: "squash",
        short: "s",
        kind: "flag",
        summary: "One layer with everything, that shares nothing with the container's image",
      },
      COMPRESSION_FORMAT,
      {
        name: "iidfile",
        kind: "value",
        placeholder: "FILE",
        summary: "Write the image's id to a file",
        completion: "files",
      },
      { name: "quiet", short: "q", kind: "flag", summary: "Print the id alone" },
    ],
    description: [
      "What the container has changed becomes a layer on top of its image; only that is read. The new image has the container's command, entrypoint, environment, user, working directory and labels. Volumes and other mounts are not in it. Without a NAME it has only its id, which is printed.",
      "A container that runs goes on, so a file that it is just writing may be torn; with --pause it stands still while it is read.",
    ],
    examples: [
      { command: "tsrun commit web web:patched", meaning: "Keep what was changed by hand" },
      {
        command: "tsrun commit -c 'CMD [\"serve\",\"-v\"]' -c 'ENV LEVEL=2' web web:verbose",
        meaning: "With another command",
      },
    ],
    load: () => import("../commands/commit.ts"),
  },
  {
    name: "export",
    group: "Images",
    summary: "Write a container's root file system to an archive",
    arguments: [CONTAINER],
    options: [OUTPUT_FILE],
    description: [
      "Writes a tar archive of all files that the container has, whether it runs or not: its image's and its own, without volumes and other mounts. `tsrun import` makes an image of it, and GNU tar unpacks it.",
    ],
    examples: [
      { command: "tsrun export -o web.tar web", meaning: "To a file" },
      { command: "tsrun export web | tsrun import - flat:1", meaning: "As an image of one layer" },
    ],
    load: () => import("../commands/export.ts"),
  },
  {
    name: "image import",
    aliases: ["import"],
    group: "Images",
    withoutRoot: "in-namespace",
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
      MESSAGE,
      CHANGE,
      COMPRESSION_FORMAT,
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
    withoutRoot: "as-is",
    summary: "List images",
    arguments: [],
    options: [
      QUIET_IDS,
      NO_TRUNC,
      {
        name: "all",
        short: "a",
        kind: "flag",
        summary: "Also those without a name: earlier versions of one, for example",
      },
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
    withoutRoot: "as-is",
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
    withoutRoot: "in-namespace",
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
    withoutRoot: "in-namespace",
    summary: "Give an image another name",
    arguments: [IMAGE, { name: "NAME", required: true, variadic: true }],
    options: [],
    description: ["The image keeps the names that it has."],
    examples: [{ command: "tsrun image tag busybox busybox:stable", meaning: "One more name" }],
    load: () => import("../commands/image-tag.ts"),
  },
  {
    name: "image history",
    aliases: ["history"],
    group: "Images",
    withoutRoot: "as-is",
    summary: "Show the steps that made an image",
    arguments: [IMAGE],
    options: [QUIET_IDS, NO_TRUNC, FORMAT],
    description: ["The newest step first, with what its layer takes."],
    examples: [{ command: "tsrun image history busybox", meaning: "Its steps" }],
    load: () => import("../commands/image-history.ts"),
  },
  {
    name: "image tree",
    group: "Images",
    withoutRoot: "as-is",
    summary: "Show an image's layers, and which images share them",
    arguments: [IMAGE],
    options: [],
    description: ["The lowest layer first."],
    examples: [{ command: "tsrun image tree busybox", meaning: "Its layers" }],
    load: () => import("../commands/image-tree.ts"),
  },
  {
    name: "image history-of",
    group: "Images",
    withoutRoot: "as-is",
    summary: "Show what a name has pointed to",
    arguments: [NAME],
    options: [NO_TRUNC, FORMAT],
    description: [
      "Each time that a name comes to point to another image, it gets a new version; the ten before it are kept. The current one has a star.",
    ],
    examples: [{ command: "tsrun image history-of debian:12", meaning: "Its versions" }],
    load: () => import("../commands/image-history-of.ts"),
  },
  {
    name: "image promote",
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Let a name point to one of its versions",
    arguments: [{ ...NAME, name: "NAME@VERSION" }],
    options: [],
    description: [
      "VERSION is a number that image history-of shows. A container that runs keeps what it runs on; restarted, one with --root-mode shared or ephemeral takes the new version. One that keeps its changes keeps what it was made from.",
    ],
    examples: [{ command: "tsrun image promote debian:12@3", meaning: "Back to version 3" }],
    load: () => import("../commands/image-promote.ts"),
  },
  {
    name: "image rollback",
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Let a name point to its version before this one",
    arguments: [NAME],
    options: [],
    description: [
      "The other way round is image promote, which says what that means for containers.",
    ],
    examples: [{ command: "tsrun image rollback debian:12", meaning: "One version back" }],
    load: () => import("../commands/image-rollback.ts"),
  },
  {
    name: "image save",
    aliases: ["save"],
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Write images to an archive",
    arguments: [{ ...IMAGE, variadic: true }],
    options: [
      OUTPUT_FILE,
      {
        name: "format",
        kind: "value",
        placeholder: "FORMAT",
        summary: "docker-archive, oci-archive, or oci-dir for a directory",
        default: "docker-archive",
        choices: ["docker-archive", "oci-archive", "oci-dir"],
      },
      { name: "quiet", short: "q", kind: "flag", summary: "For podman's sake: it says nothing" },
    ],
    description: [
      "The archive has the images with the names that were typed, and can be loaded by tsrun, podman, skopeo and docker. oci-archive keeps the manifest and its digest; docker-archive has the layers unpacked.",
    ],
    examples: [
      { command: "tsrun save -o app.tar app:1 app:2", meaning: "Two images, their layers once" },
      { command: "tsrun save app | ssh host tsrun load", meaning: "To another machine" },
    ],
    load: () => import("../commands/image-save.ts"),
  },
  {
    name: "image load",
    aliases: ["load"],
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Read images from an archive",
    arguments: [],
    options: [
      {
        name: "input",
        short: "i",
        kind: "value",
        placeholder: "FILE",
        summary: "An archive, or a directory with an OCI layout; stdin without it",
        completion: "files",
      },
      PLATFORM,
      { name: "quiet", short: "q", kind: "flag", summary: "Say nothing of the progress" },
    ],
    description: [
      "Takes what save made, here or in podman, skopeo, docker or umoci, also compressed. Prints the names.",
    ],
    examples: [{ command: "tsrun load -i app.tar", meaning: "From a file" }],
    load: () => import("../commands/image-load.ts"),
  },
  {
    name: "image prune",
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Remove images that nothing needs",
    arguments: [],
    options: [
      PRUNE_ALL,
      {
        name: "versions",
        kind: "flag",
        summary: "Also what names pointed to before: there is no rollback then",
      },
      PRUNE_BUILD_CACHE,
      { name: "force", short: "f", kind: "flag", summary: "For podman's sake: nothing is asked" },
    ],
    description: [
      "Removes images without a name, layers that no image has, and what broken pulls have left. Images that a container was made from stay.",
    ],
    examples: [
      { command: "tsrun image prune", meaning: "What is certainly not needed" },
      { command: "tsrun image prune --all", meaning: "Everything but what containers stand on" },
    ],
    load: () => import("../commands/image-prune.ts"),
  },
];
