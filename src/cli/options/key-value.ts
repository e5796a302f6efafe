import { invalidValue } from "./invalid-value.ts";

/** Splits at the first "=": undefined where there is none. */
export function splitKeyValue(text: string): { readonly key: string; readonly value?: string } {
  const at = text.indexOf("=");
  return at < 0 ? { key: text } : { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** "KEY=VALUE" with a key that is not empty. */
export function parseKeyValue(
  flag: string,
  text: string,
  example: string,
): { readonly key: string; readonly value: string } {
  const { key, value } = splitKeyValue(text);
  if (key === "" || value === undefined) {
    throw invalidValue(flag, text, "it is not KEY=VALUE", `Write it as ${example}.`);
  }
  return { key, value };
}
