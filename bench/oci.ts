/**
 * tsrun-oci beside runc and crun, as an engine uses a runtime: each command of a container's life by
 * itself. Every runtime gets the same bundle and cgroup rules; a life of one follows a life of another.
 */
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { formatMs, median, REST_MS } from "./measure.ts";
import type { Peer } from "./peers.ts";
import { PROJECT, type Workspace } from "./workspace.ts";

export const TSRUN_OCI: string = join(PROJECT, "bin/tsrun-oci");

/** No operation of an engine is to take longer than this, times runc's. */
export const AT_MOST_OF_RUNC = 1.5;

const COMMANDS = ["create", "start", "state", "exec", "kill", "delete"] as const;
type Command = (typeof COMMANDS)[number];

interface Runtime {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
}

export async function measureLifecycle(
  { sleepingBundle }: Workspace,
  peers: readonly Peer[],
  rounds: number,
): Promise<string> {
  const runtimes: readonly Runtime[] = [
    { name: "tsrun-oci", argv: [TSRUN_OCI] },
    ...peers.map(({ name, globals }): Runtime => ({ name, argv: [name, ...globals] })),
  ];
  const samples = new Map(runtimes.map(({ name }) => [name, emptySamples()]));
  for (let round = -2; round < rounds; round += 1) {
    for (const runtime of runtimes) {
      await setTimeout(REST_MS);
      const life = await timeLife(runtime, sleepingBundle, `bench-${process.pid}-${round + 2}`);
      if (round < 0) continue;
      for (const command of COMMANDS) samples.get(runtime.name)?.[command].push(life[command]);
    }
  }
  return describe(samples);
}

function emptySamples(): Record<Command, number[]> {
  return { create: [], start: [], state: [], exec: [], kill: [], delete: [] };
}

/** Milliseconds of each command, from its call to its end. */
async function timeLife(
  { argv: [program, ...globals] }: Runtime,
  bundle: string,
  id: string,
): Promise<Record<Command, number>> {
  const timed = async (command: Command, ...args: readonly string[]) => {
    const from = performance.now();
    await execa(program, [...globals, command, ...args], { stdio: "ignore" });
    return performance.now() - from;
  };
  return {
    create: await timed("create", "--bundle", bundle, id),
    start: await timed("start", id),
    state: await timed("state", id),
    exec: await timed("exec", id, "/bin/true"),
    kill: await timed("kill", id, "KILL"),
    delete: await timed("delete", "--force", id),
  };
}

function describe(samples: ReadonlyMap<string, Readonly<Record<Command, number[]>>>): string {
  const names = [...samples.keys()];
  const medianOf = (name: string, command: Command) =>
    median((samples.get(name)?.[command] ?? []).toSorted((a, b) => a - b));
  const row = (title: string, valueIn: (name: string) => number) => {
    const ours = valueIn("tsrun-oci");
    const cells = names.map((name) => formatMs(valueIn(name)).padStart(11));
    const ratios = names.slice(1).map((name) => `${(ours / valueIn(name)).toFixed(2)} × ${name}`);
    return `  ${title.padEnd(22)}${cells.join("")}   ${ratios.join(", ")}`;
  };
  const whole = (commands: readonly Command[]) => (name: string) =>
    commands.reduce((sum, command) => sum + medianOf(name, command), 0);
  return [
    `\n## An engine's calls (goal: none above ${AT_MOST_OF_RUNC} × runc)`,
    "",
    `  ${"".padEnd(22)}${names.map((name) => name.padStart(11)).join("")}`,
    ...COMMANDS.map((command) => row(command, (name) => medianOf(name, command))),
    row("create+start+delete", whole(["create", "start", "delete"])),
  ].join("\n");
}
