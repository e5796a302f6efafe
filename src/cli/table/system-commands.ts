/** Commands about tsrun itself and the host. */
import { FORMAT, PRUNE_ALL, PRUNE_BUILD_CACHE } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const SYSTEM_COMMANDS: readonly CommandSpec[] = [
  {
    name: "info",
    group: "System",
    withoutRoot: "as-is",
    summary: "Show what this host and tsrun's store offer",
    arguments: [],
    options: [FORMAT],
    description: [
      "The kernel, its cgroup controllers, overlay, seccomp and AppArmor, and where things are kept.",
    ],
    examples: [{ command: "tsrun info --format json", meaning: "For a script" }],
    load: () => import("../commands/info.ts"),
  },
  {
    name: "system df",
    group: "System",
    withoutRoot: "in-namespace",
    summary: "Show what images, containers, volumes and builds take on the disk",
    arguments: [],
    options: [
      { name: "verbose", short: "v", kind: "flag", summary: "One line for each image and volume" },
      FORMAT,
    ],
    description: [
      "Reclaimable is what image prune --all --build-cache, volume prune and the removal of stopped containers and of all snapshots would free. Of the build cache, the size is what no image has: steps, which are active while an image has their layer, and the directories of RUN --mount=type=cache.",
    ],
    examples: [{ command: "tsrun system df", meaning: "The sums" }],
    load: () => import("../commands/system-df.ts"),
  },
  {
    name: "system prune",
    aliases: ["prune"],
    group: "System",
    withoutRoot: "in-namespace",
    summary: "Remove containers that do not run, and images that nothing needs",
    arguments: [],
    options: [
      PRUNE_ALL,
      { name: "volumes", kind: "flag", summary: "Also the volumes that no container uses" },
      PRUNE_BUILD_CACHE,
      { name: "force", short: "f", kind: "flag", summary: "Ask nothing" },
    ],
    description: [
      "Says what would be removed and asks. A container with snapshots stays: see `tsrun rm`. Names keep their older versions: see `tsrun image prune --versions`.",
    ],
    examples: [
      { command: "tsrun system prune", meaning: "What is certainly not needed" },
      {
        command: "tsrun prune -f -a --volumes --build-cache",
        meaning: "Everything but what runs stands on, and ask nothing",
      },
    ],
    load: () => import("../commands/system-prune.ts"),
  },
  {
    name: "system check",
    group: "System",
    withoutRoot: "in-namespace",
    summary: "Find what crashes have left behind",
    arguments: [],
    options: [
      { name: "repair", short: "r", kind: "flag", summary: "Remove what was found" },
      {
        name: "images",
        kind: "flag",
        summary: "Also read every blob and layer: whether the images are what their digests say",
      },
      FORMAT,
    ],
    description: [
      "Looks for what a killed command or a lost supervisor left: records of containers that are gone, stale names, cgroups, mounts of volumes, half-made directories. Ends with 1 if something was found and not repaired.",
    ],
    examples: [
      { command: "tsrun system check", meaning: "Look" },
      { command: "tsrun system check --repair", meaning: "Clean up" },
      {
        command: "tsrun system check --images --repair",
        meaning: "Unpack damaged layers anew, and drop damaged blobs",
      },
    ],
    load: () => import("../commands/system-check.ts"),
  },
  {
    name: "unshare",
    group: "System",
    withoutRoot: "in-namespace",
    summary: "Run a program where a user without root has his images' ids",
    arguments: [{ name: "COMMAND", required: false, variadic: true }],
    passThrough: true,
    options: [],
    description: [
      "For users who are not root. Their images are kept in a user namespace: its id 0 is the user, and from 1 on come the ids that /etc/subuid and /etc/subgid give him. A program that is run so sees the files of unpacked layers with the owners that the images name, and may change and remove them. A program that uses tsrun's library works on the user's images there, too. Without COMMAND it is $SHELL.",
    ],
    examples: [
      { command: "tsrun unshare cat /proc/self/uid_map", meaning: "See the ids" },
      { command: "tsrun unshare node pull-all.js", meaning: "A program that uses the library" },
    ],
    load: () => import("../commands/unshare.ts"),
  },
  {
    name: "version",
    group: "System",
    withoutRoot: "as-is",
    summary: "Show the version",
    arguments: [],
    options: [{ ...FORMAT }],
    description: ["The version of tsrun."],
    examples: [{ command: "tsrun version", meaning: "One line" }],
    load: () => import("../commands/version.ts"),
  },
  {
    name: "completion",
    group: "System",
    withoutRoot: "as-is",
    summary: "Print the completions for a shell",
    arguments: [{ name: "SHELL", required: false, variadic: false, completion: "shells" }],
    options: [{ name: "man", kind: "flag", summary: "Print the man page tsrun(1) instead" }],
    description: ["SHELL is bash, zsh or fish."],
    examples: [
      { command: "source <(tsrun completion bash)", meaning: "For this shell" },
      {
        command: "tsrun completion fish > ~/.config/fish/completions/tsrun.fish",
        meaning: "For all to come",
      },
    ],
    load: () => import("../commands/completion.ts"),
  },
  {
    name: "help",
    group: "System",
    withoutRoot: "as-is",
    summary: "Show help, or the help of a command",
    arguments: [{ name: "COMMAND", required: false, variadic: true, completion: "commands" }],
    options: [],
    description: ["The same as COMMAND --help."],
    examples: [{ command: "tsrun help run", meaning: "All options of run" }],
    load: () => import("../commands/help.ts"),
  },
];
