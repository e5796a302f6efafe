/**
 * Timing by pairs: the contenders take turns (A B A B …), because a shared machine's speed drifts.
 * What is quoted is the median, and the ratio of medians.
 */
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";

/**
 * Between two turns: the kernel takes a container's network namespace apart after its end, and whoever
 * comes next would wait for the one before.
 */
export const REST_MS = 25;

export interface Contender {
  readonly name: string;
  readonly run: () => Promise<void>;
  /** Puts things back after each turn; not measured. */
  readonly after?: () => Promise<void>;
}

export interface Timing {
  readonly name: string;
  /** Milliseconds, sorted. */
  readonly samples: readonly number[];
  readonly median: number;
}

/** Each contender runs `warmup` times unmeasured, then `rounds` times in turn with the others. */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmup = 3 }: { readonly rounds: number; readonly warmup?: number },
): Promise<readonly Timing[]> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    for (const { name, run, after } of contenders) {
      await setTimeout(REST_MS);
      const start = performance.now();
      await run();
      if (round >= 0) samples.get(name)?.push(performance.now() - start);
      await after?.();
    }
  }
  return contenders.map(({ name }) => {
    const sorted = (samples.get(name) ?? []).toSorted((a, b) => a - b);
    return { name, samples: sorted, median: median(sorted) };
  });
}

export function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export interface Target {
  /** What tsrun's median is divided by. */
  readonly peer: string;
  readonly atMost: number;
}

/** A table of medians, then tsrun's ratio to each target with whether it holds. */
export function formatTimings(
  title: string,
  timings: readonly Timing[],
  targets: readonly Target[],
): string {
  const lines = [`\n## ${title}`, ""];
  for (const { name, median: ms, samples } of timings) {
    const range = `${formatMs(samples[0])} – ${formatMs(samples.at(-1))}`;
    lines.push(
      `  ${name.padEnd(34)} ${formatMs(ms).padStart(10)}   (${range}, n=${samples.length})`,
    );
  }
  const ours = timings[0];
  for (const { peer, atMost } of targets) {
    const other = timings.find(({ name }) => name === peer);
    if (!ours || !other) throw new Error(`no timing named "${peer}"`);
    const ratio = ours.median / other.median;
    const verdict = ratio <= atMost ? "holds" : "MISSED";
    lines.push(`  ratio to ${peer}: ${ratio.toFixed(3)}   (target at most ${atMost}: ${verdict})`);
  }
  return lines.join("\n");
}

export function formatMs(ms: number | undefined): string {
  return ms === undefined ? "–" : `${ms.toFixed(2)} ms`;
}
