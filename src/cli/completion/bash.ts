/**
 * Completion for bash, without the bash-completion package.
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
  SIGNALS,
} from "./words.ts";

export function bashCompletion(commands: readonly CommandSpec[]): string {
  const families = familyWords(commands);
  const words = firstWords(commands).map(([word]) => word);
  return `# bash completion for tsrun, made by "tsrun completion bash"
_tsrun_words=${quote(words.join(" "))}
_tsrun_offer() { mapfile -t COMPREPLY < <(compgen "$@" -- "$cur"); }

_tsrun() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local i=1 word command='' options='' valued=''
  COMPREPLY=()
  # Global options before the command.
  while ((i < COMP_CWORD)); do
    word=\${COMP_WORDS[i]}
    case $word in
      --root|--run-root|--log-level) ((i += 2)); continue ;;
      -*) ((i++)); continue ;;
    esac
    command=$word
    ((i++))
    case $command in
      ${[...families.keys()].join("|")})
        if ((i < COMP_CWORD)); then command="$command \${COMP_WORDS[i]}"; ((i++)); fi ;;
    esac
    break
  done
  case $command in
    '')
      case $prev in
        --root|--run-root) _tsrun_offer -d; return ;;
        --log-level) _tsrun_offer -W 'error warn info debug'; return ;;
      esac
      _tsrun_offer -W "$_tsrun_words --root --run-root --log-level --debug --help --version"
      return ;;
${[...families].map(([family, words]) => `    ${family}) _tsrun_offer -W ${quote(words.map(([word]) => word).join(" "))}; return ;;`).join("\n")}
  esac
  case $command in
${completedCommands(commands).map(commandCase).join("\n")}
  esac
}
complete -o default -F _tsrun tsrun
`;
}

function commandCase(completed: CompletedCommand): string {
  const { name, options, command } = completed;
  const valued = options.filter(({ kind }) => kind !== "flag");
  const values = valued.map((option) => {
    const offer = valueOffer(option);
    return `        ${optionWords(option).join("|")}) ${offer === undefined ? "" : `${offer}; `}return ;;`;
  });
  const completion = command.arguments[0]?.completion;
  const operands = completion === undefined ? undefined : offerOf(completion);
  return `    ${quote(name)})
      case $prev in
${values.join("\n")}
      esac
      case $cur in
        -*) _tsrun_offer -W ${quote(options.flatMap(optionWords).join(" "))}; return ;;
      esac
      ${operands ?? ":"} ;;`;
}

function valueOffer({ choices, completion }: OptionSpec): string | undefined {
  if (choices) return `_tsrun_offer -W ${quote(choices.join(" "))}`;
  return completion && offerOf(completion);
}

function offerOf(completion: Completion): string {
  const lister = LISTERS[completion];
  if (lister) return `_tsrun_offer -W "$(${lister} 2>/dev/null)"`;
  switch (completion) {
    case "signals":
      return `_tsrun_offer -W ${quote(SIGNALS.join(" "))}`;
    case "directories":
      return "_tsrun_offer -d";
    case "commands":
      return '_tsrun_offer -W "$_tsrun_words"';
    default:
      return "_tsrun_offer -f";
  }
}
