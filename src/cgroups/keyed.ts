/**
 * The formats of cgroup v2's files as values. cgroup-v2.rst, "Format".
 */

/** A limit as the kernel shows it: a number, or none. */
export type Limit = number | "max";

/** A file with one value, "max\n" or "4096\n". */
export function parseLimit(text: string): Limit {
  const word = text.trim();
  return word === "max" ? "max" : parseNumber(word);
}

/** Flat keyed: "KEY VALUE" a line. */
export function parseFlatKeyed(text: string): ReadonlyMap<string, number> {
  return new Map(
    lines(text).map((line) => {
      const [key = "", value = ""] = line.split(" ");
      return [key, parseNumber(value)];
    }),
  );
}

/** Nested keyed: "KEY SUB=VALUE SUB=VALUE…" a line. Values stay text: some are "max" or decimal fractions. */
export function parseNestedKeyed(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  return new Map(
    lines(text).map((line) => {
      const [key = "", ...pairs] = line.trim().split(" ");
      const values = pairs.map((pair) => {
        const [name = "", value = ""] = pair.split("=");
        return [name, value] as const;
      });
      return [key, new Map(values)];
    }),
  );
}

export function parseNumber(word: string): number {
  if (!/^\d+(\.\d+)?$/.test(word)) throw new Error(`the kernel wrote "${word}" for a number`);
  return Number(word);
}

function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}
