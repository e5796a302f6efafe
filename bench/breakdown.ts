/**
 * Where the time of one run goes: the engine and the stage say when they pass their points
 * (TSRUN_TIMINGS), and what is printed is the median time since the point before.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { formatMs, median } from "./measure.ts";
import { TSRUN, type Workspace } from "./workspace.ts";

/** What is done until each point, in the order of one run. */
const PHASES: Readonly<Record<string, string>> = {
  begin: "shell, Node, bundle, arguments",
  created: "record of the container",
  prepared: "host looked at, specification",
  "run directory": "run directory, /etc files",
  planned: "plan",
  encoded: "plan as bytes",
  "stage: start": "stage spawned, daemon forked",
  "stage: host": "cgroup, device filter, bind sources",
  "stage: cloned": "clone3: namespaces",
  "stage: child": "mounts, masks, pivot_root, identity",
  held: "seccomp; the report reaches Node",
  "state recorded": "state record, event",
  "stage: exec": "release, execve",
  running: "the report reaches Node",
  "exit told": "the program, its end, exit record",
  "supervisor ended": "tear-down of the stage",
  "run released": "cgroup and run directory gone",
  deleted: "container's directory gone",
  end: "Node ends",
};

interface Point {
  readonly name: string;
  readonly timeNs: bigint;
}

export async function measureBreakdown(
  { folder, image, rootfs }: Workspace,
  runs: number,
): Promise<string> {
  const file = join(folder, "timings");
  const child = join(import.meta.dirname, "run-repeatedly.ts");
  await execa(process.execPath, [child, image, String(2 * runs)], { env: { TSRUN_TIMINGS: file } });
  // The first half warms V8 up.
  const library = splitRuns(readPoints(file)).slice(runs);
  const commandLine: Point[][] = [];
  for (let n = 0; n < runs; n += 1) commandLine.push(await timeCommand(file, rootfs));
  return [
    formatPhases("Where the time goes: run() of the library, image", library),
    formatPhases("Where the time goes: tsrun run --rm --rootfs", commandLine),
  ].join("\n");
}

async function timeCommand(file: string, rootfs: string): Promise<Point[]> {
  const start = { name: "spawned", timeNs: process.hrtime.bigint() };
  const words = ["run", "--rm", "--rootfs", rootfs, "/bin/true"];
  await execa(TSRUN, words, { stdin: "ignore", env: { TSRUN_TIMINGS: file } });
  const end = { name: "end", timeNs: process.hrtime.bigint() };
  return [start, ...readPoints(file), end];
}

function readPoints(file: string): Point[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  rmSync(file);
  return lines.map((line) => {
    const space = line.indexOf(" ");
    return { timeNs: BigInt(line.slice(0, space)), name: line.slice(space + 1) };
  });
}

function splitRuns(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  for (const point of points) {
    if (point.name === "begin") runs.push([]);
    runs.at(-1)?.push(point);
  }
  return runs;
}

function formatPhases(title: string, runs: readonly (readonly Point[])[]): string {
  const steps = new Map<string, number[]>();
  const totals: number[] = [];
  for (const run of runs) {
    const known = run.filter(({ name }) => name in PHASES || name === "spawned");
    const ordered = known.toSorted((a, b) => Number(a.timeNs - b.timeNs));
    for (const [index, { name, timeNs }] of ordered.entries()) {
      const before = ordered[index - 1];
      if (before) steps.set(name, [...(steps.get(name) ?? []), ms(timeNs - before.timeNs)]);
    }
    totals.push(ms((ordered.at(-1)?.timeNs ?? 0n) - (ordered[0]?.timeNs ?? 0n)));
  }
  const lines = Object.entries(PHASES).flatMap(([name, what]) => {
    const samples = steps.get(name)?.toSorted((a, b) => a - b);
    return samples ? [`  ${what.padEnd(40)} ${formatMs(median(samples)).padStart(10)}`] : [];
  });
  const total = formatMs(median(totals.toSorted((a, b) => a - b))).padStart(10);
  return [`\n## ${title}`, "", ...lines, `  ${"the whole".padEnd(40)} ${total}`].join("\n");
}

function ms(ns: bigint): number {
  return Number(ns) / 1e6;
}
