/**
 * What a runtime's calls are worth where people feel them: podman's commands over tsrun-oci, beside the
 * same over runc. The engine, its storage and its host are private; only --runtime differs.
 */
import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { Client, PrivateHost, unavailable } from "../test/engines/private-host.ts";
import { formatMs, median, REST_MS } from "./measure.ts";
import { AT_MOST_OF_RUNC, TSRUN_OCI } from "./oci.ts";

const IMAGE = "localhost/busybox";
const RUNTIMES = ["tsrun-oci", "runc"] as const;
type RuntimeName = (typeof RUNTIMES)[number];

/** A container's life, as commands after `podman --runtime …`. */
const LIFE: Readonly<Record<string, readonly string[]>> = {
  "run --rm": ["run", "--rm", "--network=none", IMAGE, "true"],
  "run -d": ["run", "-d", "--name=bench", "--network=none", IMAGE, "sleep", "1000"],
  exec: ["exec", "bench", "true"],
  pause: ["pause", "bench"],
  unpause: ["unpause", "bench"],
  kill: ["kill", "bench"],
  "rm -f": ["rm", "-f", "bench"],
};

export async function measureEngine(rounds: number): Promise<string> {
  const title = `\n## podman over tsrun-oci and over runc (goal: none above ${AT_MOST_OF_RUNC} × runc)`;
  const reason = unavailable("/usr/bin/podman", "/usr/bin/conmon", "/usr/sbin/runc");
  if (reason !== undefined) return `${title}\n\n  skipped: ${reason}`;
  await using host = await PrivateHost.open();
  const podman = podmanOn(host);
  await podman.ok("import", await host.rootArchive(), IMAGE);
  const samples = new Map<string, number[]>();
  for (let round = -1; round < rounds; round += 1) {
    for (const runtime of RUNTIMES) {
      await setTimeout(REST_MS);
      for (const [command, ms] of await timeLife(podman, runtime)) {
        const key = `${runtime} ${command}`;
        if (round >= 0) samples.set(key, [...(samples.get(key) ?? []), ms]);
      }
    }
  }
  const medianOf = (key: string) => median((samples.get(key) ?? []).toSorted((a, b) => a - b));
  const lines = Object.keys(LIFE).map((command) => {
    const [ours, theirs] = RUNTIMES.map((runtime) => medianOf(`${runtime} ${command}`));
    if (ours === undefined || theirs === undefined) throw new Error(`${command} was not timed`);
    const cells = [ours, theirs].map((ms) => formatMs(ms).padStart(12)).join("");
    const ratio = ours / theirs;
    const verdict = ratio <= AT_MOST_OF_RUNC ? "holds" : "MISSED";
    return `  ${command.padEnd(12)}${cells}   ${ratio.toFixed(2)} (${verdict})`;
  });
  const heads = RUNTIMES.map((name) => name.padStart(12)).join("");
  return [title, "", `  ${"".padEnd(12)}${heads}`, ...lines].join("\n");
}

function podmanOn(host: PrivateHost): Client {
  const conf = host.file("containers.conf");
  // No limits of podman's own: a root without CAP_SYS_RESOURCE may not set them.
  writeFileSync(
    conf,
    `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
pids_limit = 0
log_driver = "k8s-file"
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
tsrun-oci = ["${TSRUN_OCI}"]
runc = ["/usr/sbin/runc"]
`,
  );
  const storage = host.file("storage.conf");
  writeFileSync(
    storage,
    `[storage]\ndriver = "overlay"\nrunroot = "${host.file("run")}"\ngraphroot = "${host.file("root")}"\n`,
  );
  const env = [`CONTAINERS_CONF=${conf}`, `CONTAINERS_STORAGE_CONF=${storage}`];
  return new Client(host, ["env", ...env, "podman"]);
}

async function timeLife(
  podman: Client,
  runtime: RuntimeName,
): Promise<readonly (readonly [command: string, ms: number])[]> {
  const times: [string, number][] = [];
  for (const [command, words] of Object.entries(LIFE)) {
    const from = performance.now();
    await podman.ok("--runtime", runtime, ...words);
    times.push([command, performance.now() - from]);
  }
  return times;
}
