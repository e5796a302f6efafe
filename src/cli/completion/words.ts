/**
 * What the completions of all shells have in common.
 */

import type { Completion, OptionSpec } from "../table/option-spec.ts";
import { GLOBAL_OPTIONS, HELP_OPTION } from "../table/shared-options.ts";
import type { CommandSpec } from "../table/types.ts";

export const SIGNALS = ["HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP"];
export const SHELLS = ["bash", "zsh", "fish"];

/** What follows "tsrun" to list what a completion offers. */
export const LISTERS: Readonly<Partial<Record<Completion, string>>> = {
  containers: "ps -a --format '{{.Names}}'",
  running: "ps --format '{{.Names}}'",
  volumes: "volume ls -q",
  images: "image ls --format '{{.Repository}}:{{.Tag}}'",
};

export interface CompletedCommand {
  /** One or two words. */
  readonly name: string;
  readonly command: CommandSpec;
  readonly options: readonly OptionSpec[];
}

/** Every command under its name and its aliases. */
export function completedCommands(commands: readonly CommandSpec[]): readonly CompletedCommand[] {
  return commands.flatMap((command) =>
    [command.name, ...(command.aliases ?? [])].map((name) => ({
      name,
      command,
      options: [...command.options, ...GLOBAL_OPTIONS, HELP_OPTION],
    })),
  );
}

/** "--memory" and "-m". */
export function optionWords({ name, short }: OptionSpec): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

/** The first words of the command line: commands of one word, and families such as "image"; no aliases. */
export function firstWords(
  commands: readonly CommandSpec[],
): readonly (readonly [word: string, summary: string])[] {
  const words = new Map<string, string>();
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    words.set(first, second === undefined ? command.summary : `Commands for ${first}`);
  }
  return [...words];
}

/** The second words of families: "image" has ls, rm and so on. */
export function familyWords(
  commands: readonly CommandSpec[],
): ReadonlyMap<string, readonly (readonly [string, string])[]> {
  const families = new Map<string, (readonly [string, string])[]>();
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    if (second === undefined) continue;
    families.set(first, [...(families.get(first) ?? []), [second, command.summary]]);
  }
  return families;
}

/** For a single-quoted shell string. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
