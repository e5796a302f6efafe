import type { CommandSpec } from "./table/types.ts";

/** Words that begin two-word commands. */
export const COMMAND_FAMILIES = ["image", "volume", "system", "container"] as const;

/** By its name or an alias, of one or two words. "container X" is X, as podman has it, but for a prune of containers alone. */
export function findCommand(
  commands: readonly CommandSpec[],
  words: readonly string[],
): FoundCommand | undefined {
  const [first = "", second = ""] = words;
  // "snapshot rm" is not a snapshot of "rm".
  const two = commands.find((command) => isCalled(command, `${first} ${second}`));
  if (two) return { command: two, words: 2 };
  if (first === "container") {
    const found = findCommand(commands, words.slice(1));
    return found && { ...found, words: found.words + 1 };
  }
  const one = commands.find((command) => isCalled(command, first));
  return one && { command: one, words: 1 };
}

export interface FoundCommand {
  readonly command: CommandSpec;
  /** How many words name it. */
  readonly words: number;
}

function isCalled({ name, aliases = [] }: CommandSpec, typed: string): boolean {
  return name === typed || aliases.includes(typed);
}
