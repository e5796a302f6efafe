/**
 * .containerignore: which files of a context do not belong to it. Containerignore(5); the rules are
 * those of docker's .dockerignore: patterns count from the context's root, the last that fits decides, and
 * what is below a match is matched.
 */
import { posix } from "node:path";
import { globSource } from "./glob.ts";

interface Rule {
  readonly pattern: RegExp;
  /** "!": what it matches belongs to the context after all. */
  readonly keeps: boolean;
}

export class IgnoreRules {
  readonly #rules: readonly Rule[];

  constructor(patterns: readonly string[]) {
    this.#rules = patterns.flatMap(parseRule);
  }

  /** `path` is relative to the context, without a slash in front. */
  ignores(path: string): boolean {
    let ignored = false;
    for (const { pattern, keeps } of this.#rules) {
      if (ignored === keeps && pattern.test(path)) ignored = !keeps;
    }
    return ignored;
  }

  /** Whether something below an ignored directory may belong to the context. */
  get hasExceptions(): boolean {
    return this.#rules.some(({ keeps }) => keeps);
  }
}

/** The patterns of a file: comments and empty lines are none. */
export function parseIgnoreFile(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function parseRule(text: string): readonly Rule[] {
  const keeps = text.startsWith("!");
  const parts = (keeps ? text.slice(1) : text).trim().split("/");
  // posix.normalize would keep a ".." at the beginning: nothing is above the context.
  const cleaned = posix
    .resolve("/", ...parts)
    .split("/")
    .filter((part) => part !== "");
  if (cleaned.length === 0) return [];
  return [{ keeps, pattern: new RegExp(`^${pathSource(cleaned)}(?:/|$)`, "s") }];
}

/** "**" stands for any number of directories, also none. */
function pathSource(parts: readonly string[]): string {
  return parts
    .map((part, at) => {
      const last = at === parts.length - 1;
      if (part === "**") return last ? ".+" : "(?:.*/)?";
      // As in "a**": it is not alone, and yet goes over slashes.
      const source = part
        .split("**")
        .map((piece) => globSource(piece, { segment: true }))
        .join(".*");
      return last ? source : `${source}/`;
    })
    .join("");
}
