// @no-vm: it moves many bytes, and the VM is emulated.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connectAttach } from "../../../src/engine/attach/index.ts";
import { until } from "../../native/stage.ts";
import { readAll, Supervised } from "./supervised.ts";

async function writeAll(stream: Writable, bytes: Buffer, step = 65_536): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) {
    if (!stream.write(bytes.subarray(at, at + step))) {
      await new Promise((resolve) => stream.once("drain", resolve));
    }
  }
  stream.end();
}

async function hashAll(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

/** Collects until it ends; tells how much is there. */
function collect(stream: Readable): { text: () => string } {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { text: () => text };
}

describe("an attach client", () => {
  it("gets both streams and the exit", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "echo out; echo err >&2; exit 5"], {
      client: true,
    });
    const { stdout, stderr, exit } = container.client ?? assert.fail();
    const [out, err] = await Promise.all([readAll(stdout), readAll(stderr)]);
    assert.deepEqual([String(out), String(err)], ["out\n", "err\n"]);
    assert.deepEqual(await exit, { kind: "exited", code: 5 });
    assert.equal((await container.ended).exitCode, 5);
  });

  it("learns the signal that killed the container", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "kill -KILL $$"], { client: true });
    container.client?.stdout.resume();
    container.client?.stderr.resume();
    assert.deepEqual(await container.client?.exit, { kind: "killed", signal: 9 });
  });

  it("gets 50 MB through cat and back as they were", async () => {
    await using container = new Supervised(["/bin/cat"], {
      client: true,
      stdin: "open",
      log: { maxSizeBytes: 4_000_000, maxFiles: 1 },
    });
    const { stdin, stdout, stderr, exit } = container.client ?? assert.fail();
    stderr.resume();
    const bytes = randomBytes(50_000_000);
    const [hash] = await Promise.all([hashAll(stdout), writeAll(stdin, bytes)]);
    assert.equal(hash, createHash("sha256").update(bytes).digest("hex"));
    assert.deepEqual(await exit, { kind: "exited", code: 0 });
  });

  it("loses no output when it writes to a container that has exited, however slowly it reads", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "head -c 100000 /dev/zero"], {
      client: true,
      stdin: "open",
    });
    const { stdin, stdout, stderr, exit } = container.client ?? assert.fail();
    stderr.resume();
    await container.ended;
    for (let i = 0; i < 20; i++) {
      stdin.write(Buffer.alloc(1000));
      await sleep(5);
    }
    assert.equal((await readAll(stdout)).length, 100_000);
    assert.deepEqual(await exit, { kind: "exited", code: 0 });
  });

  it("holds up the container's stdin only as far as the container does not read", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "sleep 0.5; wc -c"], {
      client: true,
      stdin: "open",
    });
    const { stdin, stdout, stderr } = container.client ?? assert.fail();
    stderr.resume();
    let accepted = 0;
    const chunk = Buffer.alloc(65_536);
    while (
      stdin.write(chunk, () => (accepted += chunk.length)) ||
      stdin.writableLength < 8_000_000
    );
    await sleep(200);
    assert.ok(accepted < 2_000_000, `${accepted} bytes were taken while nobody read`);
    const total = stdin.writableLength + accepted;
    stdin.end();
    assert.equal(Number(await readAll(stdout)), total);
  });

  it("holds up the container while it does not read, and loses nothing", async () => {
    await using container = new Supervised(["/usr/bin/seq", "1", "500000"], {
      client: true,
      log: { maxSizeBytes: 0 },
    });
    const { stdout, stderr } = container.client ?? assert.fail();
    stderr.resume();
    await container.running;
    await sleep(500);
    const size = statSync(container.logPath).size;
    await sleep(100);
    assert.equal(statSync(container.logPath).size, size, "the log stands still with its reader");
    assert.ok(size < 10_000_000, `${size} bytes were logged`);
    const lines = String(await readAll(stdout))
      .trimEnd()
      .split("\n");
    assert.equal(lines.length, 500_000);
    assert.ok(lines.every((line, index) => line === String(index + 1)));
    assert.equal((await container.records()).length, 500_000);
  });
});

describe("several attach clients", () => {
  it("get the same bytes, one frozen and resumed, one killed, one malformed", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "read go; seq 1 200000; read end"], {
      client: true,
      stdin: "open",
    });
    const first = container.client ?? assert.fail();
    const frozen = await container.attach();
    const killed = await container.attach();
    const rude = connect(join(container.dir, "attach.sock"));
    rude.on("error", () => {}); // ECONNRESET: it is not heard to its end
    rude.resume();
    rude.write("GET / HTTP/1.1\r\n\r\n");
    const rudeEnd = new Promise((resolve) => rude.once("close", resolve));
    const expected = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("");
    for (const { stderr } of [first, frozen, killed]) stderr.resume();

    const got = collect(first.stdout);
    killed.stdout.once("data", () => killed.detach());
    first.stdin.write("go\n");
    await until("output began", () => got.text().length > 0);
    await sleep(300);
    assert.ok(got.text().length < expected.length, "the frozen client holds everybody up");
    const frozenText = collect(frozen.stdout);
    await until("the first has all", () => got.text().length === expected.length);
    await until("the frozen has all", () => frozenText.text().length === expected.length);
    await rudeEnd;
    first.stdin.write("end\n");
    assert.deepEqual(await first.exit, { kind: "exited", code: 0 });
    assert.deepEqual(await frozen.exit, { kind: "exited", code: 0 });
    assert.deepEqual(await killed.exit, { kind: "detached" });
    assert.ok(got.text() === expected && frozenText.text() === expected);
  });

  it("are refused beyond the sixteenth, in words", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "read line"], { stdin: "open" });
    const clients = await Promise.all(Array.from({ length: 16 }, () => container.attach()));
    const late = await container.attach();
    const end = await late.exit;
    assert.ok(end.kind === "lost" && end.error.code === "WRONG_STATE");
    const [one, other] = clients;
    one?.detach();
    await sleep(50);
    const again = await container.attach();
    again.stdin.write("line\n");
    assert.deepEqual(await other?.exit, { kind: "exited", code: 0 });
    assert.deepEqual(await again.exit, { kind: "exited", code: 0 });
  });

  it("do not hold up the exit by reading nothing, and read all of it later", async () => {
    await using container = new Supervised(["/usr/bin/seq", "1", "12000"], { client: true });
    const begin = Date.now();
    const { exitCode } = await container.ended;
    assert.equal(exitCode, 0);
    assert.ok(Date.now() - begin < 5000);
    container.client?.stderr.resume();
    const out = await readAll(container.client?.stdout ?? assert.fail());
    assert.equal(String(out).trimEnd().split("\n").length, 12_000);
    assert.deepEqual(await container.client?.exit, { kind: "exited", code: 0 });
  });

  it("that come when nobody listens are told so", async () => {
    await using container = new Supervised(["/bin/true"]);
    await container.ended;
    await assert.rejects(connectAttach(container.dir, "attach.sock"), { code: "WRONG_STATE" });
    await assert.rejects(connectAttach("/nonexistent", "attach.sock"), { code: "WRONG_STATE" });
  });

  it("see a supervisor that was killed", async () => {
    await using container = new Supervised(["/bin/sleep", "30"], { client: true });
    await container.running;
    process.kill(container.stage.pid, "SIGKILL");
    const end = await container.client?.exit;
    assert.ok(end?.kind === "lost" && end.error.code === "SUPERVISOR_LOST");
    await container.ended.catch(() => {});
  });
});

describe("the attach socket", () => {
  it("lies at any depth, and is its owner's alone", async () => {
    await using base = new Supervised(["/bin/true"]);
    await base.ended;
    const deep = join(base.dir, "d".repeat(100), "e".repeat(100), "f".repeat(100));
    mkdirSync(deep, { recursive: true });
    await using container = new Supervised(["/bin/cat"], { stdin: "open", socketDir: deep });
    const client = await container.attach();
    const status = statSync(join(deep, "attach.sock"));
    assert.ok(status.isSocket());
    assert.equal(status.mode & 0o777, 0o600);
    client.stdin.end("deep\n");
    client.stderr.resume();
    assert.equal(String(await readAll(client.stdout)), "deep\n");
    assert.throws(() => statSync(join(deep, "attach.sock")), { code: "ENOENT" });
  });

  it("takes the place of one that a killed supervisor left", async () => {
    await using first = new Supervised(["/bin/sleep", "30"]);
    await first.running;
    process.kill(first.stage.pid, "SIGKILL");
    await first.ended.catch(() => {});
    assert.ok(statSync(join(first.dir, "attach.sock")).isSocket());
    await using second = new Supervised(["/bin/cat"], { stdin: "open", socketDir: first.dir });
    const client = await second.attach();
    client.stdin.end();
    client.stdout.resume();
    client.stderr.resume();
    assert.deepEqual(await client.exit, { kind: "exited", code: 0 });
  });
});

describe("the container's stdin", () => {
  it("is at its end when no client may write", async () => {
    await using container = new Supervised(["/bin/cat"], { client: true });
    container.client?.stdin.write("ignored");
    container.client?.stderr.resume();
    assert.equal(String(await readAll(container.client?.stdout ?? assert.fail())), "");
    assert.deepEqual(await container.client?.exit, { kind: "exited", code: 0 });
  });

  it("stays open from one client to the next", async () => {
    await using container = new Supervised(["/bin/cat"], { stdin: "open" });
    const one = await container.attach();
    one.stdin.write("one\n");
    await until("one is there", () => statSync(container.logPath).size > 0);
    one.detach();
    const two = await container.attach();
    two.stdin.end("two\n");
    await container.ended;
    assert.deepEqual(
      (await container.records()).map(({ text }) => String(text)),
      ["one", "two"],
    );
  });

  it("ends with the first client where it is wanted once", async () => {
    await using container = new Supervised(["/bin/cat"], { stdin: "once" });
    const one = await container.attach();
    await new Promise<void>((resolve) => one.stdin.write("one\n", () => resolve()));
    await until("one is there", () => statSync(container.logPath).size > 0);
    one.detach();
    assert.equal((await container.ended).exitCode, 0);
  });

  it("may be closed by the container while a client goes on writing", async () => {
    await using container = new Supervised(["/bin/sh", "-c", "exec <&-; sleep 0.3; echo done"], {
      client: true,
      stdin: "open",
    });
    const { stdin, stdout, stderr, exit } = container.client ?? assert.fail();
    stderr.resume();
    void writeAll(stdin, Buffer.alloc(3_000_000));
    assert.equal(String(await readAll(stdout)), "done\n");
    assert.deepEqual(await exit, { kind: "exited", code: 0 });
  });
});
