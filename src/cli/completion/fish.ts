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
  optionWords,
  quote,
  SHELLS,
  SIGNALS,
} from "./words.ts";

export function fishCompletion(commands: readonly CommandSpec[]): string {
  const families = familyWords(commands);
  const passThrough = completedCommands(commands).filter(({ command }) => command.passThrough);
  const valued = new Set(
    passThrough.flatMap(({ options }) =>
      options.filter(({ kind }) => kind !== "flag").flatMap(optionWords),
    ),
  );
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
  contains -- "$command" ${passThrough.map(({ name }) => name).join(" ")}; and __tsrun_has_operand $words[2..]; and set -a command inside
  echo "$command"
end
function __tsrun_has_operand --description 'whether a container command may follow'
  while set -q argv[1]
    contains -- $argv[1] ${[...valued].join(" ")}; and set -e argv[1..2]; and continue
    string match -q -- '-?*' $argv[1]; or return 0
    set -e argv[1]
  end
  return 1
end
function __tsrun_is_inside --description 'whether the words are the container command'
  string match -q '* inside' (__tsrun_command)
end
function __tsrun_is --description 'whether this command is being completed'
  test (__tsrun_command) = "$argv"
end

set -g __tsrun_words ${firstWords(commands)
    .map(([word]) => word)
    .join(" ")}

complete -c tsrun -f
complete -c tsrun -n __tsrun_is_inside -F
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
  const lines = options.map((option) => `complete -c tsrun ${condition} ${completeFlags(option)}`);
  const completion = command.arguments[0]?.completion;
  if (completion) lines.push(`complete -c tsrun ${condition} ${offerOf(completion)}`);
  return lines;
}

function completeFlags({ name, short, kind, summary, choices, completion }: OptionSpec): string {
  const words = [`-l ${name}`, ...(short === undefined ? [] : [`-s ${short}`])];
  words.push(`-d ${quote(summary)}`);
  if (kind !== "flag") words.push("-x");
  if (choices) words.push(`-a ${quote(choices.join(" "))}`);
  else if (completion) words.push(offerOf(completion));
  return words.join(" ");
}

function offerOf(completion: Completion): string {
  const lister = LISTERS[completion];
  if (lister) return `-a ${quote(`(tsrun ${lister} 2>/dev/null)`)}`;
  switch (completion) {
    case "signals":
      return `-a ${quote(SIGNALS.join(" "))}`;
    case "shells":
      return `-a ${quote(SHELLS.join(" "))}`;
    case "directories":
      return "-a '(__fish_complete_directories)'";
    case "commands":
      return "-a '$__tsrun_words'";
    default:
      return "-a '(__fish_complete_path)'";
  }
}
