import type { RootMode } from "../../engine/index.ts";
import { invalidValue } from "./invalid-value.ts";

const MODES: readonly RootMode[] = ["private", "shared", "ephemeral"];

export function parseRootMode(flag: string, text: string): RootMode {
  const mode = MODES.find((known) => known === text);
  if (mode) return mode;
  throw invalidValue(flag, text, "it is no mode of a root", `Use one of ${MODES.join(", ")}.`);
}
