/** Commands that make containers and run things in them. */
import { CONTAINER, NEW_CONTAINER, RUNNING } from "./arguments.ts";
import { CONTAINER_OPTIONS } from "./container-options.ts";
import { PULL_OPTIONS } from "./registry-options.ts";
import { DETACH_KEYS, SIG_PROXY } from "./shared-options.ts";
import type { CommandSpec } from "./types.ts";

export const RUN_COMMANDS: readonly CommandSpec[] = [
  {
    name: "run",
    group: "Run containers",
    summary: "Create a container and start it",
    arguments: NEW_CONTAINER,
    passThrough: true,
    options: [
      {
        name: "detach",
        short: "d",
        kind: "flag",
        summary: "Let it run in the background and print its id",
      },
      ...CONTAINER_OPTIONS,
      ...PULL_OPTIONS,
      DETACH_KEYS,
      SIG_PROXY,
    ],
    description: [
      "Creates a container from an image, or from a directory with --rootfs, and runs a command in it: the words after the image, or else what the image says. Options end at the image; what follows belongs to the command.",
      "Without -d the command's output is yours and tsrun ends when it does, with its exit status: the command's own, or 128 and the signal's number. 125 is an error of tsrun, 126 a command that cannot be executed, 127 one that is not there.",
      "Without -i the command's stdin is empty. With -t it has a terminal of its own; ctrl-p ctrl-q leaves it running, and tsrun attach comes back. Without -t, signals that tsrun gets are passed on. If whoever reads the output goes away, as head does in a pipe, the container is stopped.",
    ],
    examples: [
      { command: "tsrun run --rm busybox echo hello", meaning: "Run one command and forget it" },
      { command: "tsrun run --rm -it busybox sh", meaning: "A shell with a terminal" },
      {
        command: "tsrun run -d --name web -v ./site:/www:ro busybox httpd -f -h /www",
        meaning: "A service in the background, with a directory of the host",
      },
      {
        command: "tsrun run --rm --memory 256m --cpus 0.5 --pids-limit 50 busybox sh -c 'nproc'",
        meaning: "With limits",
      },
      {
        command: "tar c . | tsrun run --rm -i busybox tar t",
        meaning: "In a pipe: every byte goes through",
      },
    ],
    load: () => import("../commands/run.ts"),
  },
  {
    name: "create",
    group: "Run containers",
    summary: "Create a container without starting it",
    arguments: NEW_CONTAINER,
    passThrough: true,
    options: [...CONTAINER_OPTIONS, ...PULL_OPTIONS],
    description: ["Takes what run takes, prints the new container's id and leaves it to start."],
    examples: [
      { command: "tsrun create --name job busybox sleep 5", meaning: "Create" },
      { command: "tsrun start -a job", meaning: "and run it with its output" },
    ],
    load: () => import("../commands/create.ts"),
  },
  {
    name: "start",
    group: "Run containers",
    summary: "Start containers that do not run",
    arguments: [{ ...CONTAINER, variadic: true }],
    options: [
      {
        name: "attach",
        short: "a",
        kind: "flag",
        summary: "Show its output, and end with its exit status",
      },
      {
        name: "interactive",
        short: "i",
        kind: "flag",
        summary: "Pass stdin on; the container must have been created with -i",
      },
      DETACH_KEYS,
      SIG_PROXY,
    ],
    description: [
      "Starts containers that were created, or have ended, with the same root, options and limits as before. Prints each name; with --attach only one is possible.",
    ],
    examples: [
      { command: "tsrun start web db", meaning: "Start two" },
      { command: "tsrun start -ai shell", meaning: "Start one and be in it" },
    ],
    load: () => import("../commands/start.ts"),
  },
  {
    name: "exec",
    group: "Run containers",
    summary: "Run a command in a running container",
    arguments: [RUNNING, { name: "COMMAND", required: true, variadic: true }],
    passThrough: true,
    options: [
      {
        name: "detach",
        short: "d",
        kind: "flag",
        summary: "Do not wait for it",
      },
      { name: "interactive", short: "i", kind: "flag", summary: "Pass stdin on" },
      { name: "tty", short: "t", kind: "flag", summary: "Give it a terminal" },
      {
        name: "env",
        short: "e",
        kind: "list",
        placeholder: "NAME=VALUE",
        summary: "A variable besides the container's",
      },
      {
        name: "env-file",
        kind: "list",
        placeholder: "FILE",
        summary: "Variables from a file",
        completion: "files",
      },
      {
        name: "user",
        short: "u",
        kind: "value",
        placeholder: "USER[:GROUP]",
        summary: "Who it runs as; the container's user without it",
      },
      {
        name: "workdir",
        short: "w",
        kind: "value",
        placeholder: "DIR",
        summary: "Where it starts; the container's workdir without it",
      },
      {
        name: "cap-add",
        kind: "list",
        placeholder: "CAPABILITY",
        summary: "One more capability than the container has",
      },
      { name: "privileged", kind: "flag", summary: "With all capabilities" },
      DETACH_KEYS,
    ],
    description: [
      "Runs one more process in the container, with its namespaces, limits and root. Ends with that process's exit status; 126 and 127 mean what they do in run.",
    ],
    examples: [
      { command: "tsrun exec web cat /etc/hosts", meaning: "One command" },
      { command: "tsrun exec -it web sh", meaning: "A shell beside the service" },
      { command: "tsrun exec -i web sh -c 'cat > /tmp/x' < x", meaning: "With input" },
    ],
    load: () => import("../commands/exec.ts"),
  },
  {
    name: "attach",
    group: "Run containers",
    summary: "Connect to a running container's input and output",
    arguments: [RUNNING],
    options: [
      { name: "no-stdin", kind: "flag", summary: "Do not pass stdin on" },
      DETACH_KEYS,
      SIG_PROXY,
    ],
    description: [
      "Shows what the container writes from now on, and passes your input on if it was created with -i. Several terminals may be attached at once. Ends with the container's exit status; ctrl-p ctrl-q leaves it running.",
    ],
    examples: [{ command: "tsrun attach shell", meaning: "Come back to a container" }],
    load: () => import("../commands/attach.ts"),
  },
  {
    name: "plan",
    group: "Run containers",
    withoutRoot: "as-is",
    summary: "Show what run would ask of the kernel, and run nothing",
    arguments: NEW_CONTAINER,
    passThrough: true,
    options: [
      {
        name: "detach",
        short: "d",
        kind: "flag",
        summary: "As run would do it in the background",
      },
      ...CONTAINER_OPTIONS,
      ...PULL_OPTIONS,
      DETACH_KEYS,
      SIG_PROXY,
      {
        name: "format",
        kind: "value",
        placeholder: "FORMAT",
        summary: "text or json",
        choices: ["text", "json"],
        default: "text",
      },
    ],
    description: [
      "Takes what run takes and prints the launch as the ordered list of kernel requests, each with the phase in which it is made and the option or field that it comes from. Nothing is created, and nothing pulled.",
    ],
    examples: [
      { command: "tsrun plan --memory 512m busybox sh", meaning: "What a limit becomes" },
      { command: "tsrun plan --format json -v /srv:/srv:ro busybox | jq .ops", meaning: "As data" },
    ],
    load: () => import("../commands/plan.ts"),
  },
];
