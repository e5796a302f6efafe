/**
 * A log on a disk that fills up and is emptied again. full-disk.test.ts runs it in a mount namespace of its
 * own; it prints what it found as JSON.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../native/stage.ts";
import { Supervised } from "./supervised.ts";

const disk = mkdtempSync(join(tmpdir(), "tsrun-full-disk-"));
const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=128k", "tmpfs", disk]);
if (status !== 0) throw new Error(`mount: ${stderr}`);
writeFileSync(join(disk, "ballast"), Buffer.alloc(40_000));
try {
  await using container = new Supervised(
    ["/bin/sh", "-c", "seq 1 20000; echo full >&2; read go; seq 20001 20100"],
    { stdin: "open", client: true, log: { path: join(disk, "container.log") } },
  );
  const client = container.client;
  if (client === undefined) throw new Error("no client");
  let marker = "";
  client.stdout.resume();
  client.stderr.on("data", (chunk: Buffer) => {
    marker += chunk.toString();
  });
  await until("the container went on", () => marker === "full\n");
  const before = (await container.records()).map(({ text }) => String(text));
  rmSync(join(disk, "ballast"));
  client.stdin.write("go\n");
  const { exitCode, logLost } = await container.ended;
  const after = (await container.records()).map(({ text }) => String(text));
  const statuses = container.journal().map((event) => event["status"]);
  process.stdout.write(JSON.stringify({ before, after, exitCode, logLost, statuses }));
} finally {
  spawnSync("umount", [disk]);
  rmSync(disk, { recursive: true });
}
