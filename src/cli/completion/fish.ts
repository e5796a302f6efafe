/**
 * Completion for fish.
 */
import type { Completion, OptionSpec } from "../table/option-spec.ts";
import type { CommandSpec } from "../table/types.ts";
import {
  type CompletedCommand,
  completedCommands,
  familyWords,
  firstWords,
  LISTERS,
  quote,
  SIGNALS,
} from "./words.ts";

export function fishCompletion(commands: readonly CommandSpec[]): string {
  const families = familyWords(commands);
  return `# fish completion for tsrun, made by "tsrun completion fish"
function __tsrun_command --description 'the command on the line, one or two words'
  set -l words (commandline -opc)[2..]
  set -l command
  while set -q words[1]
    switch $words[1]
      case --root --run-root --log-level
        set -e words[1]
      case '-*'
      case '*'
        set -a command $words[1]
        contains -- $command[1] ${[...families.keys()].join(" ")}; and test (count $command) -lt 2; or break
    end
    set -e words[1]
  end
  echo "$command"
end
function __tsrun_is --description 'whether this command is being completed'
  test (__tsrun_command) = "$argv"
end

set -g __tsrun_words ${firstWords(commands)
    .map(([word]) => word)
    .join(" ")}

complete -c tsrun -f
${firstWords(commands)
  .map(([word, summary]) => `complete -c tsrun -n '__tsrun_is ""' -a ${word} -d ${quote(summary)}`)
  .join("\n")}
${[...families]
  .flatMap(([family, words]) =>
    words.map(
      ([word, summary]) =>
        `complete -c tsrun -n '__tsrun_is ${family}' -a ${word} -d ${quote(summary)}`,
    ),
  )
  .join("\n")}
${completedCommands(commands).flatMap(commandLines).join("\n")}
`;
}

function commandLines({ name, command, options }: CompletedCommand): string[] {
  const condition = `-n '__tsrun_is ${name}'`;
  const lines = options.map((option) => `complete -c tsrun ${condition} ${optionWords(option)}`);
  const completion = command.arguments[0]?.completion;
  if (completion) lines.push(`complete -c tsrun ${condition} ${offerOf(completion)}`);
  return lines;
}

function optionWords({ name, short, kind, summary, choices, completion }: OptionSpec): string {
  const words = [`-l ${name}`, ...(short === undefined ? [] : [`-s ${short}`])];
  words.push(`-d ${quote(summary)}`);
  if (kind !== "flag") words.push("-x");
  if (choices) words.push(`-a ${quote(choices.join(" "))}`);
  else if (completion) words.push(offerOf(completion));
  return words.join(" ");
}

function offerOf(completion: Completion): string {
  const lister = LISTERS[completion];
  if (lister) return `-a ${quote(`(${lister} 2>/dev/null)`)}`;
  switch (completion) {
    case "signals":
      return `-a ${quote(SIGNALS.join(" "))}`;
    case "directories":
      return "-a '(__fish_complete_directories)'";
    case "commands":
      return "-a '$__tsrun_words'";
    default:
      return "-a '(__fish_complete_path)'";
  }
}
