import { parseChoice } from "../filters.ts";
import type { OptionValues } from "../option-values.ts";

const COMPRESSIONS = ["zstd", "gzip"] as const;

/** How a new layer's blob is stored: --compression-format. Throws INVALID_ARGUMENT. */
export function parseCompression(options: OptionValues): (typeof COMPRESSIONS)[number] {
  const format = options.value("compression-format") ?? "zstd";
  return parseChoice("--compression-format", format, COMPRESSIONS);
}
