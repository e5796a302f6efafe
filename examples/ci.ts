/**
 * A CI job runner: the steps of a job run at the same time, each in a container of its own that sees
 * the sources read-only, has no network and no more than its limits. It prints each step's log when the
 * step is done, and fails if one of them failed.
 *
 *   scripts/node examples/ci.ts [JOB.json [SOURCES]]
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { create, info, TsrunError } from "tsrun";

interface Job {
  readonly image: string;
  readonly timeoutSeconds: number;
  /** A shell script for each step's name. */
  readonly steps: Readonly<Record<string, string>>;
}

const DEMO: Job = {
  image: "busybox",
  timeoutSeconds: 60,
  steps: {
    count: "find /src -name '*.ts' | wc -l",
    header: "for f in /src/*.ts; do head -1 $f | grep -q '^/\\*\\*$' || { echo $f; exit 1; }; done",
    sealed: "! touch /src/x 2>/dev/null; ! wget -q http://192.0.2.1/ 2>/dev/null",
  },
};

const [jobFile, sources = import.meta.dirname] = process.argv.slice(2);
const job: Job = jobFile ? JSON.parse(readFileSync(jobFile, "utf8")) : DEMO;
const controllers = (await info()).cgroup?.controllers ?? [];

async function runStep(name: string, script: string): Promise<boolean> {
  const signal = AbortSignal.timeout(job.timeoutSeconds * 1000);
  const log: string[] = [];
  let outcome: string;
  await using container = await create({
    image: job.image,
    command: ["sh", "-ec", script],
    readOnly: true,
    mounts: [{ type: "bind", source: resolve(sources), target: "/src", options: ["ro"] }],
    namespaces: { network: { kind: "private" } },
    limits: {
      ...(controllers.includes("memory") && { memoryBytes: 256 * 1024 * 1024 }),
      ...(controllers.includes("pids") && { pidsLimit: 100 }),
    },
  });
  try {
    await container.start({ signal });
    for await (const line of container.logs({ follow: true, signal })) log.push(line.text);
    outcome = `status ${(await container.wait({ signal })).status}`;
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error;
    outcome = error.code === "ABORTED" ? "out of time" : error.message;
  }
  console.log([`── ${name}: ${outcome}`, ...log].join("\n   "));
  return outcome === "status 0";
}

const passed = await Promise.all(Object.entries(job.steps).map(([name, s]) => runStep(name, s)));
console.log(`${passed.filter(Boolean).length} of ${passed.length} steps passed`);
process.exitCode = passed.every(Boolean) ? 0 : 1;
