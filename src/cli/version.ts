import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Of the package that this module lies in, whether it runs from src/ or from dist/. */
export function tsrunVersion(): string {
  for (let directory = import.meta.dirname; directory !== "/"; directory = dirname(directory)) {
    const text = readIfThere(join(directory, "package.json"));
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  throw new Error("the package has no package.json");
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // the next directory above may have it
  }
}
