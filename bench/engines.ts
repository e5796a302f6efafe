/**
 * What a runtime's calls are worth where people feel them: the commands of podman and of containerd's ctr
 * over tsrun-oci, beside the same over runc. The engine, its storage and its host are private.
 */
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { startContainerd } from "../test/engines/containerd-daemon.ts";
import { podmanClient } from "../test/engines/podman-client.ts";
import { type Client, PrivateHost, unavailable } from "../test/engines/private-host.ts";
import { formatMs, median, REST_MS } from "./measure.ts";
import { AT_MOST_OF_RUNC, TSRUN_OCI } from "./oci.ts";

const RUNC = "/usr/sbin/runc";
const RUNTIMES: Readonly<Record<string, string>> = { "tsrun-oci": TSRUN_OCI, runc: RUNC };

/** A container's life as the words of an engine's commands, over one runtime. */
type Life = (runtime: string) => Readonly<Record<string, readonly string[]>>;

export async function measureEngines(rounds: number): Promise<string> {
  return [await measurePodman(rounds), await measureContainerd(rounds)].join("\n");
}

const PODMAN_IMAGE = "localhost/busybox";
const podmanLife: Life = (runtime) => {
  const run = ["--runtime", runtime, "run", "--network=none"];
  const over = (...words: readonly string[]) => ["--runtime", runtime, ...words];
  return {
    "run --rm": [...run, "--rm", PODMAN_IMAGE, "true"],
    "run -d": [...run, "-d", "--name=bench", PODMAN_IMAGE, "sleep", "1000"],
    exec: over("exec", "bench", "true"),
    pause: over("pause", "bench"),
    unpause: over("unpause", "bench"),
    kill: over("kill", "bench"),
    "rm -f": over("rm", "-f", "bench"),
  };
};

async function measurePodman(rounds: number): Promise<string> {
  const reason = unavailable("/usr/bin/podman", "/usr/bin/conmon", RUNC);
  if (reason !== undefined) return describe("podman", reason);
  await using host = await PrivateHost.open();
  const podman = podmanClient(host, { storage: "overlay", ownRuntime: false })("podman");
  await podman.ok("import", await host.rootArchive(), PODMAN_IMAGE);
  return describe("podman", await timeLives(podman, podmanLife, rounds));
}

const CTR_IMAGE = "localhost/busybox:bench";
const ctrLife: Life = (runtime) => {
  // Else ctr asks for a cpu weight of 1024 shares, which is refused where cgroup v2 has no cpu controller.
  const run = ["run", `--runc-binary=${runtime}`, "--snapshotter=native", "--cpu-shares=0"];
  return {
    "run --rm": [...run, "--rm", CTR_IMAGE, "once", "true"],
    "run -d": [...run, "-d", CTR_IMAGE, "bench", "sleep", "1000"],
    exec: ["task", "exec", "--exec-id=1", "bench", "true"],
    pause: ["task", "pause", "bench"],
    resume: ["task", "resume", "bench"],
    kill: ["task", "kill", "--signal=KILL", "bench"],
    "task delete": ["task", "delete", "--force", "bench"],
    delete: ["container", "delete", "bench"],
  };
};

async function measureContainerd(rounds: number): Promise<string> {
  const reason = unavailable("/usr/bin/containerd", "/usr/bin/containerd-shim-runc-v2", RUNC);
  if (reason !== undefined) return describe("containerd", reason);
  await using host = await PrivateHost.open();
  const ctr = await startContainerd(host, CTR_IMAGE);
  return describe("containerd (ctr)", await timeLives(ctr, ctrLife, rounds));
}

/** Medians in milliseconds: by command, then by runtime. */
type Medians = ReadonlyMap<string, ReadonlyMap<string, number>>;

async function timeLives(client: Client, lifeOver: Life, rounds: number): Promise<Medians> {
  const samples = new Map<string, Map<string, number[]>>();
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, runtime] of Object.entries(RUNTIMES)) {
      await setTimeout(REST_MS);
      for (const [command, ms] of await timeLife(client, lifeOver(runtime))) {
        if (round < 0) continue;
        const ofCommand = samples.get(command) ?? new Map<string, number[]>();
        samples.set(command, ofCommand.set(name, [...(ofCommand.get(name) ?? []), ms]));
      }
    }
  }
  const medians = ([name, list]: [string, number[]]) =>
    [name, median(list.toSorted((a, b) => a - b))] as const;
  return new Map(
    [...samples].map(([command, ofCommand]) => [command, new Map([...ofCommand].map(medians))]),
  );
}

async function timeLife(
  client: Client,
  life: ReturnType<Life>,
): Promise<readonly (readonly [command: string, ms: number])[]> {
  const times: [string, number][] = [];
  for (const [command, words] of Object.entries(life)) {
    const from = performance.now();
    const { status, stderr } = await client.run(...words);
    times.push([command, performance.now() - from]);
    // "task delete" gives the status of the task.
    if (status !== 0 && command !== "task delete") throw new Error(`${command}: ${stderr}`);
  }
  return times;
}

function describe(engine: string, result: Medians | string): string {
  const title = `\n## ${engine} over tsrun-oci and over runc (goal: none above ${AT_MOST_OF_RUNC} × runc)`;
  if (typeof result === "string") return `${title}\n\n  skipped: ${result}`;
  const lines = [...result].map(([command, medians]) => {
    const [ours = Number.NaN, theirs = Number.NaN] = medians.values();
    const cells = [ours, theirs].map((ms) => formatMs(ms).padStart(12)).join("");
    const ratio = ours / theirs;
    const verdict = ratio <= AT_MOST_OF_RUNC ? "holds" : "MISSED";
    return `  ${command.padEnd(12)}${cells}   ${ratio.toFixed(2)} (${verdict})`;
  });
  const heads = Object.keys(RUNTIMES).map((name) => name.padStart(12));
  return [title, "", `  ${"".padEnd(12)}${heads.join("")}`, ...lines].join("\n");
}
