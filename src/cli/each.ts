/**
 * Commands that take several containers do the same to each, at once, and go on when one fails.
 */
import { TsrunError } from "../base/errors.ts";
import { printLine } from "./output.ts";

const AT_ONCE = 32;

/** Prints what `act` resolves to, in the order of the names; then throws what failed, together. */
export async function forEachOf<T>(
  items: readonly T[],
  act: (item: T) => Promise<string | undefined>,
): Promise<void> {
  const failures: unknown[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    const settled = items.slice(at, at + AT_ONCE).map((item) =>
      act(item).then(
        (line) => ({ line }),
        (error: unknown) => ({ error }),
      ),
    );
    for (const result of settled) {
      const outcome = await result;
      if ("error" in outcome) failures.push(outcome.error);
      else if (outcome.line !== undefined) printLine(outcome.line);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "several of them failed");
}

const LISTERS = { container: "ps -a", volume: "volume ls" } as const;

/** The names that were typed, or with --all what `list` finds; one of the two. */
export async function namedOrAll(
  command: string,
  {
    all,
    operands,
    kind = "container",
  }: {
    readonly all: boolean;
    readonly operands: readonly string[];
    readonly kind?: "container" | "volume";
  },
  list: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (all && operands.length > 0) {
    throw new TsrunError("INVALID_ARGUMENT", `"tsrun ${command}" takes either --all or names`, {
      hint: `Leave out --all, or "${operands.join(" ")}".`,
    });
  }
  if (!all && operands.length === 0) {
    throw new TsrunError("INVALID_ARGUMENT", `"tsrun ${command}" needs a ${kind.toUpperCase()}`, {
      hint: `Name one or more ${kind}s, or use --all; \`tsrun ${LISTERS[kind]}\` lists them.`,
    });
  }
  return all ? list() : [...new Set(operands)];
}
