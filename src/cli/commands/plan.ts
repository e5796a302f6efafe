import { parseDetachKeys, planContainer } from "../../engine/index.ts";
import { planToJson, printPlan } from "../../plan/index.ts";
import { readContainerRequest } from "../container-request.ts";
import { note, openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const format = parseChoice("--format", options.value("format") ?? "text", [
    "text",
    "json",
  ] as const);
  const { request, notes } = readContainerRequest(options, operands);
  parseDetachKeys(options.value("detach-keys") ?? "");
  for (const text of notes) note(globals, text);
  const plan = await planContainer(openEngineFor(globals), request);
  print(format === "json" ? `${planToJson(plan)}\n` : printPlan(plan));
}
