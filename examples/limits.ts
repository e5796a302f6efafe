/**
 * Limits on a container, and what it has used of them, measured twice.
 *
 *   scripts/node examples/limits.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { cpuPercent, create, info, type LimitsRequest } from "tsrun";

const MIB = 1024 * 1024;

// A limit whose controller is missing is an error (CGROUP_UNAVAILABLE), never silently ignored: a
// program that runs anywhere looks first.
const controllers = (await info()).cgroup?.controllers ?? [];
const limits: LimitsRequest = {
  ...(controllers.includes("memory") && { memoryBytes: 64 * MIB }),
  ...(controllers.includes("pids") && { pidsLimit: 32 }),
  ...(controllers.includes("cpu") && { cpus: 0.5 }),
};
console.log(`limits: ${Object.keys(limits).join(", ") || "none on this host"}`);

await using busy = await create({
  image: "busybox",
  command: ["sh", "-c", "ulimit -n; while :; do :; done"],
  limits,
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 64, hard: 64 }], // needs no controller
});
await busy.start();

const before = await busy.stats();
await sleep(1000);
const after = await busy.stats();

console.log(`cpu: ${cpuPercent(after, before)?.toFixed(0) ?? "?"} % of one`);
if (after.memory) console.log(`memory: ${(after.memory.currentBytes / MIB).toFixed(1)} MiB`);
console.log(`processes: ${(await busy.top()).length}`);

for await (const line of busy.logs()) console.log(`open files: at most ${line.text}`);
