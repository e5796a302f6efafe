/**
 * Patterns of shells and of Go's filepath.Match as regular expressions: * ? [a-z] [^a-z] and \.
 */

const TOKEN = /\\(?<literal>.)|\[(?<members>[!^]?\]?[^\]]*)\]|./gs;

/**
 * The source of a regular expression. `segment`: neither * nor ? match a slash; `lazy`: a * takes as
 * little as it can.
 */
export function globSource(
  pattern: string,
  { segment = false, lazy = false }: { readonly segment?: boolean; readonly lazy?: boolean } = {},
): string {
  const any = segment ? "[^/]" : ".";
  const wild = new Map([
    ["*", `${any}*${lazy ? "?" : ""}`],
    ["?", any],
  ]);
  return [...pattern.matchAll(TOKEN)]
    .map(({ 0: token, groups = {} }) => {
      const { literal, members } = groups;
      if (members !== undefined) return classSource(members);
      return wild.get(token) ?? quoted(literal ?? token);
    })
    .join("");
}

/** A class that cannot be, such as [z-a], stands for itself. */
function classSource(inside: string): string {
  const negated = /^[!^]/.test(inside);
  const members = (negated ? inside.slice(1) : inside).replace(/[\\[\]^]/g, "\\$&");
  const source = `[${negated ? "^" : ""}${members}]`;
  return members !== "" && isPattern(source) ? source : quoted(`[${inside}]`);
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

export function hasGlob(text: string): boolean {
  return /[*?[\\]/.test(text);
}
