/**
 * Completion for bash, without the bash-completion package.
 */
import type { Completion, OptionSpec } from "../table/option-spec.ts";
import { GLOBAL_OPTIONS } from "../table/shared-options.ts";
import type { ArgumentSpec, CommandSpec } from "../table/types.ts";
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

export function bashCompletion(commands: readonly CommandSpec[]): string {
  const families = familyWords(commands);
  const words = firstWords(commands).map(([word]) => word);
  const globals = GLOBAL_OPTIONS.flatMap(optionWords);
  return `# bash completion for tsrun, made by "tsrun completion bash"
_tsrun_commands=${quote(words.join(" "))}

# What is offered for "cur"; of a word that bash breaks at "=" or ":" the part behind the last one.
_tsrun_offer() {
  local prefix=\${whole%"\${whole##*[=:]}"} i
  mapfile -t COMPREPLY < <(compgen "$@" -- "$cur")
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
  [[ $whole == --*=* ]] && prefix=\${prefix#--*=}
  for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]=\${COMPREPLY[i]#"$prefix"}; done
}
# Names from tsrun itself, of the store that the line is about.
_tsrun_list() { command tsrun "\${roots[@]}" "$@" 2>/dev/null; }
# Without an offer bash completes file names.
_tsrun_files() { COMPREPLY=(); }
_tsrun_directories() { COMPREPLY=(); compopt +o default -o dirnames 2>/dev/null; }

# The words up to the cursor, with those together that bash broke apart.
_tsrun_read_words() {
  local rest=\${COMP_LINE:0:COMP_POINT} i word
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((i > 0)) && [[ $rest != [[:space:]]* ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
      rest=\${rest#"\${rest%%[![:space:]]*}"}
    fi
    rest=\${rest#"$word"}
  done
}

# Which options take a value.
_tsrun_is_valued() {
  case $1 in
    ${GLOBAL_OPTIONS.filter(takesValue).flatMap(optionWords).join("|")}) return 0 ;;
  esac
  case $command in
${completedCommands(commands).map(valuedCase).join("\n")}
  esac
  return 1
}

_tsrun() {
  local words whole cur prev i=1 word command='' operands=0 roots=() ended=''
  COMPREPLY=()
  _tsrun_read_words
  whole=\${words[\${#words[@]}-1]} cur=$whole prev=''
  while ((i < \${#words[@]} - 1)); do
    word=\${words[i]}
    ((i++))
    case $word in
      --root=*|--run-root=*) [[ $ended ]] || roots+=("$word") ;;
    esac
    if [[ ! $ended && $word == -?* ]]; then
      if [[ $word == -- ]]; then ended=1; continue; fi
      _tsrun_is_valued "$word" || continue
      ((i < \${#words[@]} - 1)) || { prev=$word; break; }
      case $word in --root|--run-root) roots+=("$word" "\${words[i]}") ;; esac
      ((i++))
    elif [[ ! $command ]]; then
      command=$word
      case $word in
        ${[...families.keys()].join("|")})
          if ((i < \${#words[@]} - 1)); then command="$word \${words[i]}"; ((i++)); fi ;;
      esac
    else
      ((operands++))
      case $command in ${passThroughNames(commands)}) ended=1 ;; esac
    fi
  done
  if [[ ! $ended && $cur == --*=* ]]; then prev=\${cur%%=*} cur=\${cur#*=}; fi
  case $prev in
${GLOBAL_OPTIONS.filter(takesValue).map(valueCase).join("\n")}
  esac
  case $command in
    '')
      _tsrun_offer -W "$_tsrun_commands ${globals.join(" ")} --help --version" ;;
${[...families].map(([family, members]) => `    ${family}) _tsrun_offer -W ${quote(members.map(([word]) => word).join(" "))} ;;`).join("\n")}
${completedCommands(commands).map(commandCase).join("\n")}
  esac
}
complete -o default -F _tsrun tsrun
`;
}

const takesValue = ({ kind }: OptionSpec): boolean => kind !== "flag";

function passThroughNames(commands: readonly CommandSpec[]): string {
  const names = completedCommands(commands).filter(({ command }) => command.passThrough);
  return names.map(({ name }) => quote(name)).join("|");
}

function valuedCase({ name, command }: CompletedCommand): string {
  const words = command.options.filter(takesValue).flatMap(optionWords);
  return words.length === 0
    ? `    ${quote(name)}) ;;`
    : `    ${quote(name)}) case $1 in ${words.join("|")}) return 0 ;; esac ;;`;
}

function valueCase(option: OptionSpec): string {
  return `    ${optionWords(option).join("|")}) ${valueOffer(option)}; return ;;`;
}

function commandCase({ name, options, command }: CompletedCommand): string {
  const values = command.options.filter(takesValue).map(valueCase);
  const words = quote(options.flatMap(optionWords).join(" "));
  return `    ${quote(name)})
      case $prev in
${values.map((line) => `    ${line}`).join("\n")}
      esac
      if [[ ! $ended && $cur == -* ]]; then _tsrun_offer -W ${words}; return; fi
      case $operands in
${command.arguments.map(argumentCase).join("\n")}
      esac ;;`;
}

function argumentCase({ completion, variadic }: ArgumentSpec, index: number): string {
  return `        ${variadic ? "*" : index}) ${offerOf(completion)} ;;`;
}

/** "container:" is completed to "container:NAME". */
function valueOffer({ choices, completion }: OptionSpec): string {
  if (!choices) return offerOf(completion);
  const words = choices.join(" ");
  if (!choices.includes("container:")) return `_tsrun_offer -W ${quote(words)}`;
  return `_tsrun_offer -W "${words} $(_tsrun_list ps -a --format 'container:{{.Names}}')"`;
}

function offerOf(completion: Completion | undefined): string {
  const lister = completion && LISTERS[completion];
  if (lister) return `_tsrun_offer -W "$(_tsrun_list ${lister})"`;
  switch (completion) {
    case "signals":
      return `_tsrun_offer -W ${quote(SIGNALS.join(" "))}`;
    case "shells":
      return `_tsrun_offer -W ${quote(SHELLS.join(" "))}`;
    case "directories":
      return "_tsrun_directories";
    case "commands":
      return '_tsrun_offer -W "$_tsrun_commands"';
    default:
      return "_tsrun_files";
  }
}
