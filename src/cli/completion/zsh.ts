/**
 * Completion for zsh's compsys.
 */
import type { Completion, OptionSpec } from "../table/option-spec.ts";
import type { ArgumentSpec, CommandSpec } from "../table/types.ts";
import {
  type CompletedCommand,
  completedCommands,
  familyWords,
  firstWords,
  LISTERS,
  quote,
  SHELLS,
  SIGNALS,
} from "./words.ts";

export function zshCompletion(commands: readonly CommandSpec[]): string {
  return `#compdef tsrun
# zsh completion for tsrun, made by "tsrun completion zsh"
_tsrun_lines() { local -a lines; lines=(\${(f)"$(eval $1 2>/dev/null)"}); compadd -a lines }

_tsrun_command() {
  case $1 in
${completedCommands(commands).map(commandCase).join("\n")}
  esac
}

_tsrun_first() {
  local -a words
  words=(${described(firstWords(commands))})
  _describe 'command' words
}

_tsrun() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C \\
    '--root[Where images and containers are kept]:directory:_files -/' \\
    '--run-root[Where state is kept]:directory:_files -/' \\
    '--log-level[How much to say]:level:(error warn info debug)' \\
    '--debug[Show causes of errors]' \\
    '1: :_tsrun_first' '*:: :->rest'
  [[ $state == rest ]] || return
  local command=$line[1]
  case $command in
${[...familyWords(commands)].map(([family, words]) => familyCase(family, words)).join("\n")}
  esac
  _tsrun_command $command
}
compdef _tsrun tsrun
`;
}

function familyCase(family: string, words: readonly (readonly [string, string])[]): string {
  return `    ${family})
      if ((CURRENT == 2)); then
        local -a words_of
        words_of=(${described(words)})
        _describe 'command' words_of
        return
      fi
      command="$command $words[2]"
      shift words
      ((CURRENT--)) ;;`;
}

function described(words: readonly (readonly [string, string])[]): string {
  return words.map(([word, summary]) => quote(`${word}:${summary}`)).join(" ");
}

function commandCase({ name, command, options }: CompletedCommand): string {
  const specs = [...options.map(optionSpec), ...command.arguments.map(argumentSpec)];
  return `    ${quote(name)}) _arguments -s ${command.passThrough ? "-A '-*' " : ""}${specs.join(" ")} ;;`;
}

function optionSpec({
  name,
  short,
  kind,
  summary,
  choices,
  completion,
  placeholder,
}: OptionSpec): string {
  const text = `[${summary.replace(/[[\]:\\]/g, "\\$&")}]`;
  const action = choices
    ? `(${choices.join(" ").replaceAll(":", "\\:")})`
    : completion
      ? actionOf(completion)
      : " ";
  const value =
    kind === "flag" ? "" : `:${(placeholder ?? "value").replace(/[[\]:\\]/g, "\\$&")}:${action}`;
  const repeat = kind === "list" ? "*" : "";
  const long = quote(`${repeat}--${name}${text}${value}`);
  return short === undefined ? long : `${long} ${quote(`${repeat}-${short}${text}${value}`)}`;
}

function argumentSpec({ name, variadic, completion }: ArgumentSpec): string {
  const action = completion ? actionOf(completion) : name === "COMMAND" ? "_normal" : " ";
  return quote(
    `${variadic ? "*" : ""}:${variadic && name === "COMMAND" ? ":" : ""}${name}:${action}`,
  );
}

function actionOf(completion: Completion): string {
  const lister = LISTERS[completion];
  if (lister) return `{_tsrun_lines "tsrun ${lister.replaceAll('"', '\\"')}"}`;
  switch (completion) {
    case "signals":
      return `(${SIGNALS.join(" ")})`;
    case "shells":
      return `(${SHELLS.join(" ")})`;
    case "directories":
      return "_files -/";
    case "commands":
      return "_tsrun_first";
    default:
      return "_files";
  }
}
