/** Building images. */
import { LIMIT_OPTIONS } from "./limit-options.ts";
import type { OptionSpec } from "./option-spec.ts";
import { PULL_OPTIONS } from "./registry-options.ts";
import type { CommandSpec } from "./types.ts";

const STEPS = "Steps";
const CACHE = "Cache";

const STEP_OPTIONS: readonly OptionSpec[] = [
  {
    name: "build-arg",
    kind: "list",
    placeholder: "NAME[=VALUE]",
    summary: "A value for ARG; without one that of the same variable here",
    group: STEPS,
  },
  {
    name: "network",
    aliases: ["net"],
    kind: "value",
    placeholder: "MODE",
    summary: "What RUN may use of the network: none (loopback alone), host, ns:/path",
    default: "none",
    group: STEPS,
  },
  {
    name: "secret",
    kind: "list",
    placeholder: "id=ID,src=FILE",
    summary: "A file, or a variable with env=NAME, that RUN --mount=type=secret may see",
    group: STEPS,
  },
  {
    name: "volume",
    short: "v",
    kind: "list",
    placeholder: "SOURCE:TARGET[:OPTIONS]",
    summary: "A directory of this machine, seen by every RUN and by no layer",
    group: STEPS,
  },
  {
    name: "add-host",
    kind: "list",
    placeholder: "NAME:ADDRESS",
    summary: "A line for /etc/hosts of every RUN",
    group: STEPS,
  },
  {
    name: "dns",
    kind: "list",
    placeholder: "ADDRESS",
    summary: "A name server for every RUN",
    group: STEPS,
  },
  {
    name: "jobs",
    kind: "value",
    placeholder: "NUMBER",
    summary: "Stages that are worked on at once; 0 is no limit; one for each core without it",
    group: STEPS,
  },
];

const CACHE_OPTIONS: readonly OptionSpec[] = [
  { name: "no-cache", kind: "flag", summary: "Do every step anew", group: CACHE },
  {
    name: "layers",
    kind: "flag",
    summary: "For podman's sake: each step is a layer that the next build may use",
    default: "true",
    group: CACHE,
  },
];

export const BUILD_COMMANDS: readonly CommandSpec[] = [
  {
    name: "build",
    aliases: ["image build"],
    group: "Images",
    summary: "Build an image from a Containerfile",
    arguments: [{ name: "CONTEXT", required: false, variadic: false, completion: "directories" }],
    options: [
      {
        name: "tag",
        short: "t",
        kind: "list",
        placeholder: "NAME",
        summary: "A name for the image",
      },
      {
        name: "file",
        short: "f",
        kind: "value",
        placeholder: "FILE",
        summary: "The Containerfile; the context's Containerfile or Dockerfile without it",
        completion: "files",
      },
      {
        name: "target",
        kind: "value",
        placeholder: "STAGE",
        summary: "The stage to build: its name or number; the last one without it",
      },
      {
        name: "ignorefile",
        kind: "value",
        placeholder: "FILE",
        summary: "Patterns of files to leave out, instead of .containerignore or .dockerignore",
        completion: "files",
      },
      { name: "label", kind: "list", placeholder: "KEY=VALUE", summary: "A label of the image" },
      {
        name: "annotation",
        kind: "list",
        placeholder: "KEY=VALUE",
        summary: "An annotation of the image's manifest",
      },
      { name: "env", kind: "list", placeholder: "NAME=VALUE", summary: "A variable of the image" },
      {
        name: "timestamp",
        kind: "value",
        placeholder: "SECONDS",
        summary: "The time of the image and of all its new files: the same build, bit for bit",
      },
      {
        name: "compression-format",
        kind: "value",
        placeholder: "FORMAT",
        summary: "How layers are packed for registries: gzip for those that do not know zstd",
        default: "zstd",
        choices: ["zstd", "gzip"],
      },
      {
        name: "iidfile",
        kind: "value",
        placeholder: "FILE",
        summary: "Where to write the image's id",
        completion: "files",
      },
      {
        name: "progress",
        kind: "value",
        placeholder: "HOW",
        summary: "auto or plain: lines as they come, in both cases",
        default: "auto",
        choices: ["auto", "plain"],
      },
      { name: "quiet", short: "q", kind: "flag", summary: "Print the id alone" },
      ...STEP_OPTIONS,
      ...CACHE_OPTIONS,
      ...LIMIT_OPTIONS,
      ...PULL_OPTIONS,
    ],
    description: [
      "CONTEXT is the directory that COPY and ADD take files from; the current one without it. With - the Containerfile is read from stdin, and there is no context. Nothing outside of the context is read, whatever its links say; .containerignore or .dockerignore names what does not belong to it.",
      "A step that an earlier build has done, with the same files, arguments and steps before it, is taken from the cache. Stages that do not wait for each other are built at once. Progress and what RUN writes go to stderr, the image's id to stdout.",
      "A RUN that fails ends the build with its exit status. The limits hold for every RUN.",
    ],
    examples: [
      { command: "tsrun build -t app:1 .", meaning: "From ./Containerfile" },
      {
        command: "tsrun build --timestamp 0 --no-cache -q .",
        meaning: "The same id each time",
      },
      {
        command: "tsrun build --memory 2g --cpus 1 --network host -t app .",
        meaning: "With limits, and with this machine's network",
      },
      {
        command: "tsrun build --secret id=token,src=token.txt --target test .",
        meaning: "With a secret, one stage of it",
      },
    ],
    load: () => import("../commands/build.ts"),
  },
];
