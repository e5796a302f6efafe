// @no-vm: it moves many bytes, and the VM is emulated.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readLogBatches } from "../../../src/engine/logs/index.ts";
import { until } from "../../native/stage.ts";
import { Supervised } from "./supervised.ts";

const text = (buffer: Buffer) => buffer.toString();

describe("the supervisor's log", () => {
  it("keeps the streams apart, writes the exit record and the journal", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"]);
    const { exitCode, signal, logLost, oomKilled } = await container.ended;
    assert.deepEqual(
      { exitCode, signal, logLost, oomKilled },
      {
        exitCode: 7,
        signal: null,
        logLost: 0,
        oomKilled: false,
      },
    );
    const records = await container.records();
    assert.deepEqual(
      records.map(({ stream, text, partial }) => [stream, String(text), partial]).sort(),
      [
        ["stderr", "err", false],
        ["stdout", "out", false],
      ],
    );
    const [died] = container.journal();
    assert.equal(died?.["status"], "died");
    assert.equal(died?.["exitCode"], 7);
    assert.equal(died?.["id"], "test");
    assert.ok(Math.abs(Date.parse(String(died?.["time"])) - Date.now()) < 60_000);
    assert.deepEqual(readdirSync(container.dir).sort(), ["container.log", "exit.json", "journal"]);
  });

  it("loses none of 200000 fast lines to rotation, nor does who follows them", async () => {
    await using container = new Supervised(["/usr/bin/seq", "-f", "line %.0f of many", "200000"], {
      log: { maxSizeBytes: 1_000_000, maxFiles: 30 },
    });
    const followed: string[] = [];
    for await (const batch of readLogBatches({
      path: container.logPath,
      follow: { ended: container.ended },
    })) {
      for (const record of batch) followed.push(text(record.text));
    }
    const { exitCode, logLost } = await container.ended;
    const expected = Array.from({ length: 200_000 }, (_, index) => `line ${index + 1} of many`);
    assert.deepEqual({ exitCode, logLost }, { exitCode: 0, logLost: 0 });
    assert.equal(followed.length, expected.length);
    assert.ok(followed.every((line, index) => line === expected[index]));
    const files = readdirSync(container.dir).filter((name) => name.startsWith("container.log"));
    assert.ok(files.length > 10, `${files.length} files`);
    for (const file of files) {
      const path = join(container.dir, file);
      assert.ok(statSync(path).size <= 1_000_000, file);
      assert.equal(readFileSync(path).at(-1), 0x0a, `${file} ends with a whole record`);
    }
    const read = await container.records();
    assert.ok(read.every((record, index) => text(record.text) === expected[index]));
    const tail = await container.records({ tail: 30_000 });
    assert.deepEqual(
      [tail.length, text((tail[0] as { text: Buffer }).text)],
      [30_000, "line 170001 of many"],
    );
  });

  it("gives back byte for byte what was written", async () => {
    await using container = new Supervised(["/bin/sh", "-c", 'cat "$0"', process.execPath]);
    await container.ended;
    const hash = createHash("sha256");
    for (const { text, partial } of await container.records()) {
      hash.update(text);
      if (!partial) hash.update("\n");
    }
    assert.equal(hash.digest("hex"), sha256(readFileSync(process.execPath)));
  });

  it("shows a prompt that waits for its answer", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "printf 'name? '; exec sleep 30"]);
    await container.running;
    await until("the prompt is in the log", () =>
      readFileSync(container.logPath, "utf8").includes("P name? \n"),
    );
    process.kill(await container.running, "SIGTERM");
    const { exitCode, signal } = await container.ended;
    assert.deepEqual({ exitCode, signal }, { exitCode: null, signal: 15 });
  });

  it("waits for the last words of processes that outlive the container, but not for ever", async () => {
    await using container = new Supervised(
      [
        "/bin/sh",
        "-c",
        "(sleep 0.2; echo late) & (while sleep 0.05; do echo chatter; done) & echo $! >&2; exit 0",
      ],
      { exitDrainMs: 300 },
    );
    const begin = Date.now();
    await container.ended;
    const records = await container.records();
    const chatterer = records.find(({ stream }) => stream === "stderr");
    process.kill(Number(chatterer?.text), "SIGKILL");
    assert.ok(records.some((record) => text(record.text) === "late"));
    assert.ok(Date.now() - begin < 5000);
  });

  it("is followed from before the container's first line to its last, whoever is slow", async () => {
    await using container = new Supervised([
      "/bin/sh",
      "-c",
      "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done",
    ]);
    const seen: string[] = [];
    for await (const batch of readLogBatches({
      path: container.logPath,
      follow: { ended: container.ended },
    })) {
      for (const record of batch) seen.push(text(record.text));
      await sleep(150);
    }
    assert.deepEqual(seen, ["1", "2", "3", "4", "5"]);
  });

  it("refuses to begin with a log that is a symlink, and leaves nothing", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tsrun-relay-link-"));
    try {
      const path = join(dir, "log");
      symlinkSync(join(dir, "elsewhere"), path);
      await using container = new Supervised(["/bin/true"], { log: { path } });
      await assert.rejects(container.ended, /errno 40/);
      assert.deepEqual(readdirSync(dir), ["log"]);
      assert.deepEqual(readdirSync(container.dir), []);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
