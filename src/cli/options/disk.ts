import type { DiskRequest } from "../../engine/index.ts";
import { invalidValue } from "./invalid-value.ts";

export function parseDiskAlloc(flag: string, text: string): NonNullable<DiskRequest["alloc"]> {
  if (text === "sparse" || text === "static") return text;
  throw invalidValue(flag, text, "it is no way to allocate", "Use sparse or static.");
}
