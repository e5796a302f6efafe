import { TsrunError } from "../base/errors.ts";
import { nameOptions } from "./option-origins.ts";
import { worldFault } from "./world-fault.ts";

/**
 * What is printed of an error: the sentence and the hint; with `debug` also the code, the field at fault
 * and the chain of causes. What is neither a TsrunError
 * nor a fault of the world is a mistake of tsrun's and shows its stack.
 */
export function errorText(error: unknown, { debug }: { readonly debug: boolean }): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.map((each) => errorText(each, { debug })).join("\n");
  }
  if (!(error instanceof TsrunError)) return foreignText(error, debug);
  const lines = [`Error: ${nameOptions(error.message)}`];
  if (error.hint !== undefined) lines.push(`Hint: ${error.hint}`);
  if (debug) lines.push(...details(error));
  return lines.join("\n");
}

function details(error: TsrunError): string[] {
  const lines = [`  code: ${error.code}`];
  if (error.origin !== undefined) lines.push(`  origin: ${error.origin}`);
  if (error.errno !== undefined) lines.push(`  errno: ${error.errno}`);
  for (let cause = error.cause; cause !== undefined; cause = causeOf(cause)) {
    lines.push(`  cause: ${causeText(cause)}`);
  }
  lines.push(...stackLines(error));
  return lines;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { errno } = cause as { errno?: unknown };
  return `${cause.name}: ${cause.message}${typeof errno === "string" ? ` (${errno})` : ""}`;
}

function stackLines(error: Error): string[] {
  return (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
}

function foreignText(error: unknown, debug: boolean): string {
  const fault = worldFault(error);
  if (!fault) return bugText(error);
  const lines = [`Error: ${fault.sentence}`, `Hint: ${fault.hint}`];
  if (debug) lines.push(...stackLines(error as Error));
  return lines.join("\n");
}

function bugText(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const causes: string[] = [];
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
    causes.push(`  cause: ${causeText(cause)}`);
  }
  return [
    "Error: tsrun has met a mistake of its own (a bug)",
    "Hint: Please report it with what you typed and the lines that follow.",
    stack,
    ...causes,
  ].join("\n");
}
