/**
 * The words after a command's name, parsed by its table entry: options through commander, then the
 * number of arguments.
 */

import { TsrunError } from "../base/errors.ts";
import { insteadOf } from "./absent-options.ts";
import { OptionValues } from "./option-values.ts";
import { parseBoolean } from "./options/number.ts";
import { suggestNearest } from "./suggest.ts";
import type { OptionSpec } from "./table/option-spec.ts";
import type { ArgumentSpec, CommandSpec } from "./table/types.ts";
import { usageLine } from "./usage.ts";

export interface ParsedArguments {
  readonly options: OptionValues;
  readonly operands: readonly string[];
}

export async function parseArguments(
  command: CommandSpec,
  words: readonly string[],
): Promise<ParsedArguments> {
  // commander is loaded only where there is something for it to parse.
  const parsed = words.length === 0 ? NOTHING : await parseWords(command, words);
  return { options: new OptionValues(command.options, parsed.typed), operands: parsed.operands };
}

const NOTHING = { typed: new Map<string, readonly string[]>(), operands: [] };

async function parseWords(command: CommandSpec, words: readonly string[]) {
  const { Command, CommanderError, Option } = await import("commander");
  const typed = new Map<string, string[]>();
  const add = (name: string, value: string) => {
    const values = typed.get(name);
    if (values) values.push(value);
    else typed.set(name, [value]);
  };
  const parser = new Command(command.name)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .passThroughOptions(command.passThrough ?? false);
  for (const option of command.options) {
    for (const flags of optionFlags(option)) {
      const parsed = new Option(flags);
      const value = flags.startsWith(FALSE) ? "false" : "true";
      parser.addOption(parsed);
      parser.on(`option:${parsed.name()}`, (text: string | undefined) =>
        add(option.name, text ?? value),
      );
    }
  }
  try {
    const { operands, unknown } = parser.parseOptions(spellOut(command, words));
    const wrong = unknown[0];
    if (wrong !== undefined) throw unknownOption(command, wrong);
    return { typed, operands };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw missingValue(command, error.message);
  }
}

/** What "--rm=false" becomes for commander: an option that nobody can type, since words have no NUL. */
const FALSE = "--\0";

/** In commander's notation: "-m, --memory <value>"; one for the option and one for each alias. */
function optionFlags({ name, short, aliases = [], kind }: OptionSpec): string[] {
  const value = kind === "flag" ? "" : " <value>";
  const first = `${short === undefined ? "" : `-${short}, `}--${name}${value}`;
  const off = kind === "flag" ? [`${FALSE}${name}`] : [];
  return [first, ...aliases.map((alias) => `--${alias}${value}`), ...off];
}

/** podman's spellings that commander does not have: "--rm=false" and "-e=A=1". Stops where the options end. */
function spellOut(command: CommandSpec, words: readonly string[]): string[] {
  const byWord = optionsByWord(command);
  const spelled: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const optionsEnd = word === "--" || (command.passThrough && !isOption(word));
    if (optionsEnd) return [...spelled, ...words.slice(at)];
    spelled.push(...spellWord(word, byWord));
    // The next word is a value and must not be taken for the end of the options.
    const next = words[at + 1];
    if (next !== undefined && takesNextWord(word, byWord)) {
      spelled.push(next);
      at++;
    }
  }
  return spelled;
}

function spellWord(word: string, byWord: ReadonlyMap<string, OptionSpec>): string[] {
  const [, name = "", value = ""] = /^(--[^=]+|-[^-=])=(.*)$/s.exec(word) ?? [];
  const option = byWord.get(name);
  if (option?.kind === "flag") {
    return [`${parseBoolean(name, value) ? "--" : FALSE}${option.name}`];
  }
  return option && name.length === 2 ? [name, value] : [word];
}

function isOption(word: string): boolean {
  return word.length > 1 && word.startsWith("-");
}

function optionsByWord({ options }: CommandSpec): ReadonlyMap<string, OptionSpec> {
  return new Map(
    options.flatMap((option) => [
      ...[option.name, ...(option.aliases ?? [])].map((name) => [`--${name}`, option] as const),
      ...(option.short === undefined ? [] : [[`-${option.short}`, option] as const]),
    ]),
  );
}

/** "--memory", "-m", and "-itm" whose last letter takes a value. */
function takesNextWord(word: string, byWord: ReadonlyMap<string, OptionSpec>): boolean {
  if (word.startsWith("--")) return (byWord.get(word)?.kind ?? "flag") !== "flag";
  if (!isOption(word)) return false;
  const letters = [...word.slice(1)];
  const valued = letters.findIndex(
    (letter) => (byWord.get(`-${letter}`)?.kind ?? "flag") !== "flag",
  );
  return valued >= 0 && valued === letters.length - 1;
}

function unknownOption(command: CommandSpec, word: string): TsrunError {
  const typed = /^--[^=]+/.exec(word)?.[0] ?? word.slice(0, 2);
  const known = [...optionsByWord(command).keys()].filter((name) => name.startsWith("--"));
  const nearest = typed.startsWith("--") ? suggestNearest(typed, known) : undefined;
  const makesContainers = known.includes("--rootfs");
  const instead = makesContainers ? insteadOf(typed) : undefined;
  const name = `tsrun ${command.name}`.trimEnd();
  const help = `tsrun help ${command.name}`.trimEnd();
  return new TsrunError("INVALID_ARGUMENT", `"${name}" has no option "${typed}"`, {
    hint: instead ?? (nearest ? `Did you mean ${nearest}?` : `See \`${help}\`.`),
  });
}

/** commander names the option it misses a value of: "error: option '-m, --memory <SIZE>' argument missing". */
function missingValue(command: CommandSpec, message: string): TsrunError {
  const name = /--[^ ,']+/.exec(message)?.[0] ?? message;
  const option = optionsByWord(command).get(name);
  return new TsrunError("INVALID_ARGUMENT", `the option "${name}" needs a value`, {
    hint: `Write it as ${name} ${option?.placeholder ?? "VALUE"}.`,
  });
}

/** Throws INVALID_ARGUMENT for too few or too many arguments. */
export function checkOperands(command: CommandSpec, operands: readonly string[]): void {
  const missing = command.arguments.filter(({ required }) => required)[operands.length];
  if (missing) throw wrongCount(command, `needs ${article(missing)}`);
  const takesAll = command.arguments.at(-1)?.variadic ?? false;
  const extra = operands[command.arguments.length];
  if (extra !== undefined && !takesAll) throw wrongCount(command, `has no place for "${extra}"`);
}

function article({ name }: ArgumentSpec): string {
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}

function wrongCount(command: CommandSpec, problem: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `"tsrun ${command.name}" ${problem}`, {
    hint: `Usage: ${usageLine(command)}`,
  });
}
