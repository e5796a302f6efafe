/**
 * volume create --opt: "type=tmpfs", "o=size=64m,uid=1000". What a key means, the volume says.
 */
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

export function parseVolumeOption(text: string): readonly [string, string] {
  const { key, value } = splitKeyValue(text);
  if (key !== "" && value !== undefined && value !== "") return [key, value];
  throw invalidValue("--opt", text, "it is not KEY=VALUE", "Write type=tmpfs, or o=size=64m.");
}
