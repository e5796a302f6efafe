/**
 * --label, --label-file and --annotation.
 */
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

/** "KEY=VALUE"; "KEY" alone has an empty value. */
export function parseLabel(flag: string, text: string): readonly [string, string] {
  const { key, value } = splitKeyValue(text);
  if (key.trim() === "") {
    throw invalidValue(flag, text, "it has no key", "Write it as KEY=VALUE.");
  }
  return [key, value ?? ""];
}

/** One label a line; blank lines and lines that begin with "#" are left out. */
export function parseLabelFile(text: string): readonly (readonly [string, string])[] {
  return text.split("\n").flatMap((raw) => {
    const line = raw.replace(/\r$/, "").trimStart();
    return line === "" || line.startsWith("#") ? [] : [parseLabel("--label-file", line)];
  });
}
