/**
 * Options that mean the same in several commands.
 */
import type { OptionSpec } from "./option-spec.ts";
import { LOG_LEVELS } from "./types.ts";

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    name: "root",
    kind: "value",
    placeholder: "DIR",
    summary:
      "Where images and containers are kept ($TSRUN_ROOT, /var/lib/tsrun; without root ~/.local/share/tsrun)",
    completion: "directories",
    group: "Global options",
  },
  {
    name: "run-root",
    kind: "value",
    placeholder: "DIR",
    summary:
      "Where the state of running containers is ($TSRUN_RUN_ROOT, /run/tsrun; without root $XDG_RUNTIME_DIR/tsrun)",
    completion: "directories",
    group: "Global options",
  },
  {
    name: "log-level",
    kind: "value",
    placeholder: "LEVEL",
    summary: "How much to say on stderr besides errors: error, warn, info or debug",
    default: "warn",
    choices: LOG_LEVELS,
    group: "Global options",
  },
  {
    name: "debug",
    kind: "flag",
    summary: "Show causes, errnos and origins of an error; the same as --log-level debug",
    group: "Global options",
  },
];

export const HELP_OPTION: OptionSpec = {
  name: "help",
  kind: "flag",
  summary: "Show this help",
  group: "Global options",
};

export const FORMAT: OptionSpec = {
  name: "format",
  kind: "value",
  placeholder: "FORMAT",
  summary: '"json", or a template such as "{{.ID}} {{.Names}}" or "table {{.ID}}"',
};

export const NO_TRUNC: OptionSpec = {
  name: "no-trunc",
  kind: "flag",
  summary: "Show whole ids and commands",
};

export const QUIET_IDS: OptionSpec = {
  name: "quiet",
  short: "q",
  kind: "flag",
  summary: "Show ids alone",
};

export const DETACH_KEYS: OptionSpec = {
  name: "detach-keys",
  kind: "value",
  placeholder: "KEYS",
  summary: "The keys that leave the terminal and let it run on; empty for none",
  default: "ctrl-p,ctrl-q",
};

export const SIG_PROXY: OptionSpec = {
  name: "sig-proxy",
  kind: "flag",
  summary: "Pass signals on to the container, where it has no terminal",
  default: "true",
};

export const TIME: OptionSpec = {
  name: "time",
  short: "t",
  aliases: ["timeout"],
  kind: "value",
  placeholder: "SECONDS",
  summary: "How long to wait before it is killed; the container's own stop timeout without it",
};

export const ALL: OptionSpec = { name: "all", short: "a", kind: "flag", summary: "All containers" };

/** --ignore of a command that needs something to `verb`. */
export function ignoreMissing(verb: string): OptionSpec {
  return {
    name: "ignore",
    kind: "flag",
    summary: `Do not mind names that there is nothing to ${verb} of`,
  };
}

/** Of commands that write an archive. */
export const OUTPUT_FILE: OptionSpec = {
  name: "output",
  short: "o",
  kind: "value",
  placeholder: "FILE",
  summary: "Where to; stdout without it",
  completion: "files",
};

/** Of a prune of images. */
export const PRUNE_ALL: OptionSpec = {
  name: "all",
  short: "a",
  kind: "flag",
  summary: "Also images with a name, if no container was made from them",
};

/** Of a prune of images. */
export const PRUNE_BUILD_CACHE: OptionSpec = {
  name: "build-cache",
  kind: "flag",
  summary: "Also what builds keep for the next one: steps, and their cache mounts",
};
