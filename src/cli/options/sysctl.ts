import { invalidValue } from "./invalid-value.ts";
import { parseKeyValue } from "./key-value.ts";

/** --sysctl "net.core.somaxconn=1024"; slashes may stand for dots, as in sysctl(8). */
export function parseSysctl(text: string): readonly [string, string] {
  const { key, value } = parseKeyValue("--sysctl", text, "net.core.somaxconn=1024");
  const name = key.includes(".") ? key : key.replaceAll("/", ".");
  if (!/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_/*-]+)+$/.test(name) || name.includes("..")) {
    throw invalidValue(
      "--sysctl",
      text,
      `"${key}" is no kernel parameter`,
      "Write it as net.core.somaxconn=1024.",
    );
  }
  return [name, value];
}
