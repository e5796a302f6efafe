/** Snapshots and clones of containers with few and with many changes: the size must not be felt. */
import { performance } from "node:perf_hooks";
import type * as Library from "../src/index.ts";
import { formatTimings, median, type Timing } from "./measure.ts";
import type { Workspace } from "./workspace.ts";

const MS_AT_MOST = 30;
const SIZES_MIB = [1, 1024];

type Act = (container: Library.Container) => Promise<Library.Container | undefined>;

const ACTS: Readonly<Record<string, Act>> = {
  snapshot: async (container) => {
    await container.snapshot();
    return undefined;
  },
  clone: (container) => container.clone(),
};

export async function measureSnapshots(
  library: typeof Library,
  { image }: Workspace,
  rounds: number,
): Promise<string> {
  const samples = new Map<string, number[]>();
  for (let round = -1; round < rounds; round += 1) {
    for (const size of SIZES_MIB) {
      for (const [name, act] of Object.entries(ACTS)) {
        const ms = await timeOne(library, image, { size, act });
        const title = `${name} of ${size} MiB of changes`;
        if (round >= 0) samples.set(title, [...(samples.get(title) ?? []), ms]);
      }
    }
  }
  const timings = [...samples].map(([name, times]): Timing => {
    const sorted = times.toSorted((a, b) => a - b);
    return { name, samples: sorted, median: median(sorted) };
  });
  const slow = timings.filter(({ median: ms }) => ms >= MS_AT_MOST);
  const verdict = slow.length === 0 ? "holds" : "MISSED";
  return [
    formatTimings("Snapshots and clones of a container at rest", timings, []),
    `  each under ${MS_AT_MOST} ms: ${verdict}`,
  ].join("\n");
}

/** Its changes lie in its current layer: a second snapshot of the same container would find none. */
async function timeOne(
  { create }: typeof Library,
  image: string,
  { size, act }: { readonly size: number; readonly act: Act },
): Promise<number> {
  const command = ["/bin/fallocate", "-l", `${size}M`, "/changes"];
  await using container = await create({ image, command });
  await container.start();
  const { status } = await container.wait();
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}`);
  const from = performance.now();
  const made = await act(container);
  const ms = performance.now() - from;
  await made?.remove();
  return ms;
}
