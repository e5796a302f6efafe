// @no-vm: it moves many bytes, and the VM is emulated.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { AttachStream } from "../../../src/engine/attach/index.ts";
import { until } from "../../native/stage.ts";
import { readAll, Supervised } from "./supervised.ts";

/** What the terminal has shown so far. */
function watch(client: AttachStream): () => string {
  let seen = "";
  client.stderr.resume();
  client.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  return () => seen;
}

describe("a terminal behind the supervisor", () => {
  it("has the size of the plan, then each client's, and tells the container of it", async () => {
    // A shell may take two signals for one, so what it shows again and again is the size itself.
    await using container = new Supervised(
      [
        "/bin/bash",
        "-c",
        "trap 'echo changed' WINCH; trap 'exit 3' INT; while :; do stty size; sleep 0.05; done",
      ],
      { tty: true, stdin: "open", client: true },
    );
    const client = container.client ?? assert.fail();
    const seen = watch(client);
    await until("the first size", () => seen().startsWith("24 80\r\n24 80\r\n"));
    client.resize({ rows: 50, cols: 132 });
    await until("the next size", () => seen().endsWith("50 132\r\n50 132\r\n"));
    assert.match(seen(), /changed\r\n/);
    const other = await container.attach();
    other.stdout.resume();
    other.stderr.resume();
    other.resize({ rows: 1, cols: 65_535 });
    await until("the other's size", () => seen().endsWith("1 65535\r\n"));
    client.stdin.write("\x03"); // the line discipline makes SIGINT of it
    assert.deepEqual(await client.exit, { kind: "exited", code: 3 });
  });

  it("is a terminal: echo, erase, end of file", async () => {
    await using container = new Supervised(
      ["/bin/sh", "-c", "test -t 0 && test -t 1 && test -t 2 && cat && echo bye"],
      {
        tty: true,
        stdin: "open",
        client: true,
      },
    );
    const client = container.client ?? assert.fail();
    const seen = watch(client);
    client.stdin.write("helloo\x7f\n");
    await until("the line comes back", () => seen().endsWith("hello\r\n"));
    assert.ok(seen().startsWith("helloo\b \b\r\n"), JSON.stringify(seen()));
    client.stdin.end();
    assert.deepEqual(await client.exit, { kind: "exited", code: 0 });
    assert.ok(seen().endsWith("bye\r\n"), JSON.stringify(seen()));
    const records = await container.records();
    assert.ok(records.every(({ stream }) => stream === "stdout"));
    assert.equal(String(records.at(-1)?.text), "bye\r");
  });

  it("ends input in the middle of a line too", async () => {
    await using container = new Supervised(["/bin/cat"], {
      tty: true,
      stdin: "open",
      client: true,
    });
    const client = container.client ?? assert.fail();
    const seen = watch(client);
    client.stdin.end("no newline");
    assert.deepEqual(await client.exit, { kind: "exited", code: 0 });
    assert.equal(seen(), "no newlineno newline");
  });

  it("hears nothing from clients where stdin is closed", async () => {
    await using container = new Supervised(
      ["/bin/bash", "-c", 'read -t 0.3 line && echo "got $line"; echo end'],
      { tty: true, client: true },
    );
    const client = container.client ?? assert.fail();
    const seen = watch(client);
    client.stdin.write("unwanted\n");
    await client.exit;
    assert.doesNotMatch(seen(), /unwanted/);
    assert.match(seen(), /end\r\n$/);
  });

  it("carries 2 MB in raw mode both ways", async () => {
    await using container = new Supervised(
      ["/bin/sh", "-c", "stty raw -echo; echo ready; exec head -c 2000000"],
      { tty: true, stdin: "open", client: true },
    );
    const client = container.client ?? assert.fail();
    const bytes = randomBytes(2_000_000);
    const hash = createHash("sha256");
    let size = -"ready\n".length;
    client.stderr.resume();
    client.stdout.on("data", (chunk: Buffer) => {
      if (size < 0) client.stdin.write(bytes);
      hash.update(size < 0 ? chunk.subarray("ready\n".length) : chunk);
      size += chunk.length;
    });
    await client.exit;
    await readAll(client.stdout);
    assert.equal(size, bytes.length);
    assert.equal(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"));
  });

  it("keeps the last words of a container that exits at once", async () => {
    for (let round = 0; round < 10; round++) {
      await using container = new Supervised(["/bin/sh", "-c", "seq 1 3000"], {
        tty: true,
        client: true,
      });
      const client = container.client ?? assert.fail();
      client.stderr.resume();
      const out = String(await readAll(client.stdout));
      assert.equal(out.split("\r\n").length, 3001);
      assert.equal((await container.records()).length, 3000);
    }
  });

  it("outlives a time in which nobody has it open", async () => {
    // The container's only descriptors of the terminal are closed and opened anew, as a getty does.
    await using container = new Supervised(
      [
        "/bin/bash",
        "-c",
        "t=$(tty); exec <&- >&- 2>&-; sleep 0.3; exec >$t; echo again; sleep 0.1; exec >&-; sleep 0.2; exec >$t; echo and again",
      ],
      { tty: true, client: true },
    );
    const client = container.client ?? assert.fail();
    client.stderr.resume();
    assert.equal(String(await readAll(client.stdout)), "again\r\nand again\r\n");
    assert.deepEqual(await client.exit, { kind: "exited", code: 0 });
  });
});
