/** Commands for volumes. */
import { FORMAT, OUTPUT_FILE } from "./shared-options.ts";
import type { ArgumentSpec, CommandSpec } from "./types.ts";

const VOLUME: ArgumentSpec = {
  name: "VOLUME",
  required: true,
  variadic: false,
  completion: "volumes",
};
/** One or more; with --all none. */
const VOLUMES: ArgumentSpec = { ...VOLUME, required: false, variadic: true };

const VOLUME_FILTER = {
  name: "filter",
  kind: "list",
  placeholder: "KEY=VALUE",
  summary: "name=, label=KEY[=VALUE], driver=, opt=KEY[=VALUE], dangling=true, anonymous=true",
} as const;

export const VOLUME_COMMANDS: readonly CommandSpec[] = [
  {
    name: "volume create",
    group: "Volumes",
    summary: "Make a volume",
    arguments: [{ name: "NAME", required: false, variadic: false }],
    options: [
      {
        name: "driver",
        short: "d",
        kind: "value",
        placeholder: "DRIVER",
        summary: "For podman's sake: there is one",
        default: "local",
        choices: ["local"],
      },
      {
        name: "opt",
        short: "o",
        kind: "list",
        placeholder: "KEY=VALUE",
        summary: "size=, the most it may hold; type=, device= and o= of mount(8); o=uid=,gid=",
      },
      { name: "label", short: "l", kind: "list", placeholder: "KEY=VALUE", summary: "A label" },
      { name: "ignore", kind: "flag", summary: "Do not mind one that is there already" },
    ],
    description: [
      "Makes a volume, with a random name if none is given, and prints the name. run and create make the volumes that they name, so this is for those with labels or options.",
      "With no type the volume is a directory of the store. With a size, type=tmpfs or a device it is mounted while containers use it; with o=bind and device=DIR it is a directory of the host.",
    ],
    examples: [
      { command: "tsrun volume create data", meaning: "A directory of its own" },
      { command: "tsrun volume create --opt size=1g data", meaning: "That can hold no more" },
      {
        command: "tsrun volume create --opt type=tmpfs --opt o=size=64m scratch",
        meaning: "In memory, shared by those who use it at the same time",
      },
      {
        command: "tsrun volume create --opt o=bind --opt device=/srv/data data",
        meaning: "A directory of the host, by a name",
      },
    ],
    load: () => import("../commands/volume-create.ts"),
  },
  {
    name: "volume ls",
    aliases: ["volume list"],
    group: "Volumes",
    withoutRoot: "as-is",
    summary: "List volumes",
    arguments: [],
    options: [
      { ...VOLUME_FILTER, short: "f" },
      { name: "quiet", short: "q", kind: "flag", summary: "Show names alone" },
      { name: "noheading", short: "n", kind: "flag", summary: "Leave out the headings" },
      FORMAT,
    ],
    description: [
      "Lists volumes by name. Filters of one key are alternatives, filters of different keys must all hold.",
    ],
    examples: [
      { command: "tsrun volume ls", meaning: "All" },
      { command: "tsrun volume ls -q --filter dangling=true", meaning: "Those that nothing uses" },
    ],
    load: () => import("../commands/volume-ls.ts"),
  },
  {
    name: "volume inspect",
    group: "Volumes",
    summary: "Show everything about volumes as JSON",
    arguments: [VOLUMES],
    options: [
      { name: "all", short: "a", kind: "flag", summary: "All volumes" },
      { ...FORMAT, short: "f" },
    ],
    description: ["Prints a JSON array, or one line for each with a template."],
    examples: [
      { command: "tsrun volume inspect data", meaning: "All of it" },
      {
        command: "tsrun volume inspect -f '{{.Mountpoint}}' data",
        meaning: "Where its files are on the host",
      },
    ],
    load: () => import("../commands/volume-inspect.ts"),
  },
  {
    name: "volume exists",
    group: "Volumes",
    summary: "Tell by the exit status whether there is a volume",
    arguments: [VOLUME],
    options: [],
    description: ["Ends with 0 if there is one of exactly this name, with 1 if not."],
    examples: [{ command: "tsrun volume exists data || echo none", meaning: "In a script" }],
    load: () => import("../commands/volume-exists.ts"),
  },
  {
    name: "volume rm",
    aliases: ["volume remove"],
    group: "Volumes",
    summary: "Remove volumes with what is in them",
    arguments: [VOLUMES],
    options: [
      { name: "all", short: "a", kind: "flag", summary: "All volumes" },
      {
        name: "force",
        short: "f",
        kind: "flag",
        summary: "Remove also the containers that use them, running or not; missing ones are fine",
      },
      {
        name: "time",
        short: "t",
        kind: "value",
        placeholder: "SECONDS",
        summary: "With --force: how long containers may take to stop by themselves (not at all)",
      },
    ],
    description: [
      "A volume that a container uses, running or not, is kept. The directory of the host behind a bind volume stays, and so does what is on a device.",
    ],
    examples: [
      { command: "tsrun volume rm data", meaning: "One that nothing uses" },
      { command: "tsrun volume rm -f data", meaning: "Whatever uses it" },
    ],
    load: () => import("../commands/volume-rm.ts"),
  },
  {
    name: "volume prune",
    group: "Volumes",
    summary: "Remove the volumes that no container uses",
    arguments: [],
    options: [VOLUME_FILTER, { name: "force", short: "f", kind: "flag", summary: "Ask nothing" }],
    description: [
      "Shows what would be removed and asks; prints the names of what was removed. What is in a volume is lost with it.",
    ],
    examples: [
      { command: "tsrun volume prune", meaning: "Show, ask, remove" },
      {
        command: "tsrun volume prune -f --filter anonymous=true",
        meaning: "Only those that containers left behind without a name",
      },
    ],
    load: () => import("../commands/volume-prune.ts"),
  },
  {
    name: "volume export",
    group: "Volumes",
    summary: "Write what is in a volume as a tar archive",
    arguments: [VOLUME],
    options: [OUTPUT_FILE],
    description: [
      "Owners, modes, times, links and extended attributes are kept. Containers are not stopped meanwhile: pause those that write if that matters.",
    ],
    examples: [
      { command: "tsrun volume export -o data.tar data", meaning: "To a file" },
      {
        command: "tsrun volume export data | ssh host tsrun volume import data -",
        meaning: "To another machine, where the volume is there already",
      },
    ],
    load: () => import("../commands/volume-export.ts"),
  },
  {
    name: "volume import",
    group: "Volumes",
    summary: "Unpack a tar archive into a volume",
    arguments: [VOLUME, { name: "SOURCE", required: false, variadic: false, completion: "files" }],
    options: [],
    description: [
      "SOURCE is a tar archive, plain or compressed with gzip or zstd; stdin without one, or for -. It is unpacked beside what is in the volume, and replaces what has the same name. Nothing in it can lead out of the volume.",
    ],
    examples: [{ command: "tsrun volume import data data.tar", meaning: "From a file" }],
    load: () => import("../commands/volume-import.ts"),
  },
];
