/**
 * Platforms of images: "linux/arm64/v8". image-spec image-index.md, "platform".
 */
import { TsrunError } from "../base/errors.ts";
import { hostArchitecture } from "./config.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const ALIASES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  i386: "386",
  i686: "386",
};

/** "linux/arm64", "linux/arm/v7", or an architecture alone. Throws INVALID_ARGUMENT. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const [os = "", architecture = "", variant] = parts.length === 1 ? ["linux", ...parts] : parts;
  if (parts.length > 3 || [os, architecture].some((part) => !/^[a-z0-9_-]+$/.test(part))) {
    throw new TsrunError("INVALID_ARGUMENT", `"${text}" is not a platform`, {
      hint: "Write OS/ARCHITECTURE[/VARIANT]: linux/amd64, linux/arm64, linux/arm/v7.",
    });
  }
  const known = ALIASES[architecture] ?? architecture;
  return { os, architecture: known, ...(variant === undefined ? {} : { variant }) };
}

export function hostPlatform(): Platform {
  return { os: "linux", architecture: hostArchitecture() };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join("/");
}

/** Every arm64 is a v8, and some say so. */
const IMPLIED_VARIANTS: Readonly<Record<string, string>> = { arm64: "v8", amd64: "v1" };

/** How well `offered` does for `wanted`: higher is better, undefined not at all. */
export function matchPlatform(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  const implied = IMPLIED_VARIANTS[wanted.architecture];
  const has = offered.variant ?? implied;
  if (wanted.variant !== undefined) return wanted.variant === has ? 2 : undefined;
  // The plainest variant runs on every machine of its kind.
  return has === implied ? 2 : 1;
}
