import type { OptionSpec } from "./table/option-spec.ts";

/**
 * The options of one command as they were typed, by long name. Asking for a name that the command's
 * table entry does not have is a bug, not an answer of "not given".
 */
export class OptionValues {
  readonly #options: ReadonlyMap<string, OptionSpec>;
  readonly #typed: ReadonlyMap<string, readonly string[]>;

  /** `typed` holds the values of each option in order; a flag's are "true" or "false". */
  constructor(options: readonly OptionSpec[], typed: ReadonlyMap<string, readonly string[]>) {
    this.#options = new Map(options.map((option) => [option.name, option]));
    this.#typed = typed;
  }

  flag(name: string): boolean {
    const option = this.#option(name, "flag");
    return (this.#typed.get(name)?.at(-1) ?? option.default ?? "false") === "true";
  }

  /** The last one typed wins. */
  value(name: string): string | undefined {
    const option = this.#option(name, "value");
    return this.#typed.get(name)?.at(-1) ?? option.default;
  }

  list(name: string): readonly string[] {
    this.#option(name, "list");
    return this.#typed.get(name) ?? [];
  }

  isGiven(name: string): boolean {
    return this.#typed.has(name);
  }

  #option(name: string, kind: OptionSpec["kind"]): OptionSpec {
    const option = this.#options.get(name);
    if (option?.kind !== kind) throw new Error(`the command has no ${kind} option "${name}"`);
    return option;
  }
}
