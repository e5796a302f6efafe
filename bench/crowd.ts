/** Many containers at once: whether the last starts as fast as the first, and what each costs. */
import { performance } from "node:perf_hooks";
import type * as Library from "../src/index.ts";
import { formatMs, median } from "./measure.ts";
import { privateKib } from "./peers.ts";
import type { Workspace } from "./workspace.ts";

/** How many at each end are compared: one start alone is noise. */
const SAMPLE = 20;
const SLOWDOWN_AT_MOST = 1.5;
const SUPERVISOR_KIB_AT_MOST = 150;

export async function measureCrowd(
  { create }: typeof Library,
  { image }: Workspace,
  count: number,
): Promise<string> {
  const containers: Library.Container[] = [];
  const starts: number[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const container = await create({ image, command: ["/bin/sleep", "100000"] });
      containers.push(container);
      const from = performance.now();
      await container.start();
      starts.push(performance.now() - from);
    }
    const memory = await supervisorMemory(containers.slice(-SAMPLE));
    return describe(count, starts, memory);
  } finally {
    for (const container of containers.reverse()) await container[Symbol.asyncDispose]();
  }
}

async function supervisorMemory(containers: readonly Library.Container[]): Promise<number[]> {
  const sizes: number[] = [];
  for (const container of containers) {
    const { state } = await container.inspect();
    if (state?.supervisor) sizes.push(privateKib(state.supervisor.pid));
  }
  return sizes.toSorted((a, b) => a - b);
}

function describe(count: number, starts: readonly number[], memory: readonly number[]): string {
  const first = medianOf(starts.slice(0, SAMPLE));
  const last = medianOf(starts.slice(-SAMPLE));
  const kib = median(memory);
  return [
    `\n## ${count} detached containers at once`,
    "",
    `  start: first ${SAMPLE} ${formatMs(first)}, last ${SAMPLE} ${formatMs(last)}`,
    verdict("last to first", last / first, SLOWDOWN_AT_MOST),
    `  supervisor's private memory: ${kib} KiB (largest ${memory.at(-1)} KiB)`,
    verdict("KiB of a supervisor", kib, SUPERVISOR_KIB_AT_MOST),
  ].join("\n");
}

function medianOf(samples: readonly number[]): number {
  return median(samples.toSorted((a, b) => a - b));
}

function verdict(what: string, value: number, atMost: number): string {
  const holds = value <= atMost ? "holds" : "MISSED";
  return `  ${what}: ${Number(value.toFixed(3))}   (target at most ${atMost}: ${holds})`;
}
