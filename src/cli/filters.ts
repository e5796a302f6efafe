import { TsrunError } from "../base/errors.ts";
import { splitKeyValue } from "./options/key-value.ts";
import { suggestNearest } from "./suggest.ts";

/** --filter KEY=VALUE, several: values by key. Throws for a key that is not among `keys`. */
export function parseFilters<K extends string>(
  texts: readonly string[],
  keys: readonly K[],
): Partial<Record<K, readonly string[]>> {
  const filters: Partial<Record<K, readonly string[]>> = {};
  for (const text of texts) {
    const { key, value } = splitKeyValue(text);
    const known = keys.find((name) => name === key);
    if (known === undefined || value === undefined || value === "") {
      const problem = known === undefined ? `there is no filter "${key}"` : "it has no value";
      const nearest = known === undefined ? suggestNearest(key, keys) : undefined;
      throw new TsrunError("INVALID_ARGUMENT", `invalid value "${text}" for --filter: ${problem}`, {
        hint: nearest ? `Did you mean ${nearest}=…?` : `Filters are ${keys.join("=, ")}=.`,
        origin: "--filter",
      });
    }
    filters[known] = [...(filters[known] ?? []), value];
  }
  return filters;
}

/** A value out of a fixed set. */
export function parseChoice<T extends string>(
  flag: string,
  text: string,
  choices: readonly T[],
): T {
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new TsrunError("INVALID_ARGUMENT", `invalid value "${text}" for ${flag}: it is not known`, {
    hint: `Use one of ${choices.join(", ")}.`,
    origin: flag,
  });
}
