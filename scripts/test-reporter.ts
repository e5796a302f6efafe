/**
 * A reporter for Node's test runner: each test becomes one line of JSON (see test-results.ts).
 * A suite is not a test, but it can fail of its own (a hook that throws) or be skipped as a whole.
 */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";
import type { TestResult } from "./test-results.ts";

/** Node's closing counts, which come as diagnostics too. */
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

type Finished = Extract<TestEvent, { type: "test:pass" | "test:fail" }>;

/** Node's contract for reporters: the default export is an async generator of text. */
// biome-ignore lint/style/noDefaultExport: as node:test wants it
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const fullNames = new Map<number, string>();
  for await (const event of source) {
    const result = heed(event, fullNames);
    if (result !== undefined) yield `${JSON.stringify(result)}\n`;
  }
}

function heed(event: TestEvent, fullNames: Map<number, string>): TestResult | undefined {
  switch (event.type) {
    case "test:start": {
      const { testId, parentId, name } = event.data;
      const around = parentId === undefined ? undefined : fullNames.get(parentId);
      fullNames.set(testId, around === undefined ? name : `${around} › ${name}`);
      return undefined;
    }
    case "test:pass":
    case "test:fail":
      return resultOf(event, fullNames.get(event.data.testId) ?? event.data.name);
    case "test:diagnostic": // e.g. what was thrown after its test ended
      if (!SUMMARY.test(event.data.message)) process.stderr.write(`${event.data.message}\n`);
      return undefined;
    default:
      return undefined;
  }
}

function resultOf(event: Finished, name: string): TestResult | undefined {
  const { data } = event;
  const base = {
    file: relative(process.cwd(), data.file ?? process.argv[1] ?? ""),
    name,
    durationMs: data.details.duration_ms,
  };
  const skipped = data.skip ?? data.todo;
  if (skipped !== undefined && skipped !== false) {
    const reason = typeof skipped === "string" ? skipped : "no reason given";
    return { ...base, outcome: "skipped", reason };
  }
  if (event.type === "test:pass") {
    return data.details.type === "suite" ? undefined : { ...base, outcome: "passed" };
  }
  const error = event.data.details.error as Error & { failureType?: string };
  if (error.failureType === "subtestsFailed") return undefined; // they are reported themselves
  return { ...base, outcome: "failed", error: inspect(error.cause ?? error) };
}
