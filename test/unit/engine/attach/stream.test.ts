import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type AttachStream, connectAttach } from "../../../../src/engine/attach/index.ts";

let dir: string;
let server: Server;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "tsrun-attach-"));
  server = createServer();
  server.listen(join(dir, "attach.sock"));
  await once(server, "listening");
});

afterEach(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Both ends: ours, and that of a supervisor that does what the test wants. */
async function attach(): Promise<[AttachStream, Socket]> {
  const accepted = once(server, "connection");
  const client = await connectAttach(dir, "attach.sock");
  const [supervisor] = (await accepted) as [Socket];
  supervisor.on("error", () => {}); // it is not a part of the test when the client leaves
  return [client, supervisor];
}

function frame(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(type);
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}

const EXIT_3 = frame(3, Buffer.from("0100000003000000", "hex"));

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("an AttachStream", () => {
  it("lets the rest of the program go on while somebody writes without end after the exit", async () => {
    const [client, supervisor] = await attach();
    client.stdout.resume();
    client.stderr.resume();
    supervisor.write(EXIT_3);
    await client.exit;
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    for (let written = 0; written < 1000 && !turned; written++) {
      if (!client.stdin.write(Buffer.alloc(65_536))) await once(client.stdin, "drain");
    }
    assert.ok(turned, "a thousand writes, and nothing else had its turn");
  });

  it("ends both streams with the exit", async () => {
    const [client, supervisor] = await attach();
    supervisor.write(
      Buffer.concat([frame(1, Buffer.from("out")), frame(2, Buffer.from("err")), EXIT_3]),
    );
    assert.deepEqual(await Promise.all([text(client.stdout), text(client.stderr)]), ["out", "err"]);
    assert.deepEqual(await client.exit, { kind: "exited", code: 3 });
  });

  it("says that the supervisor has gone when no exit came", async () => {
    const [client, supervisor] = await attach();
    supervisor.end(frame(1, Buffer.from("half")).subarray(0, 10));
    const end = await client.exit;
    assert.ok(end.kind === "lost" && end.error.code === "SUPERVISOR_LOST", end.kind);
  });

  it("gives up on bytes that are no frame", async () => {
    const [client, supervisor] = await attach();
    supervisor.write("HTTP/1.1 400 Bad Request\r\n");
    const end = await client.exit;
    assert.ok(end.kind === "lost" && end.error.code === "SYSTEM", end.kind);
  });

  it("reads no further than somebody takes it", async () => {
    const [client, supervisor] = await attach();
    const block = frame(1, Buffer.alloc(8192));
    let sent = 0;
    while (supervisor.write(block) || supervisor.writableLength < 4_000_000) sent += block.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(
      supervisor.writableLength > 3_000_000,
      `${supervisor.writableLength} of ${sent} wait`,
    );
    supervisor.write(EXIT_3);
    client.stderr.resume();
    await text(client.stdout);
    assert.deepEqual(await client.exit, { kind: "exited", code: 3 });
  });

  it("is not held up by a stream that has been destroyed", async () => {
    const [client, supervisor] = await attach();
    client.stderr.destroy();
    for (let i = 0; i < 100; i++) supervisor.write(frame(2, Buffer.alloc(8192)));
    supervisor.write(Buffer.concat([frame(1, Buffer.from("out")), EXIT_3]));
    assert.equal(await text(client.stdout), "out");
  });

  it("leaves when told, and takes what is written afterwards without a word", async () => {
    const [client, supervisor] = await attach();
    const hungUp = once(supervisor.resume(), "close");
    client.detach();
    client.resize({ rows: 1, cols: 1 });
    await new Promise<void>((resolve) => client.stdin.end("late", () => resolve()));
    assert.deepEqual(await client.exit, { kind: "detached" });
    await hungUp;
    assert.equal(await text(client.stdout), "");
  });

  it("sends stdin in frames, and its end", async () => {
    const [client, supervisor] = await attach();
    client.stdin.end("hello");
    client.resize({ rows: 2, cols: 3 });
    let bytes = Buffer.alloc(0);
    while (bytes.length < 8 + 5 + 8 + 12) {
      const [chunk] = (await once(supervisor, "data")) as [Buffer];
      bytes = Buffer.concat([bytes, chunk]);
    }
    const size = Buffer.from([2, 0, 3, 0]);
    const frames = [frame(16, Buffer.from("hello")), frame(17, size), frame(16, Buffer.alloc(0))];
    assert.deepEqual(
      [...frames].sort(Buffer.compare).map(String),
      split(bytes).sort(Buffer.compare).map(String),
    );
    supervisor.end(EXIT_3);
    await client.exit;
  });
});

function split(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 8 + bytes.readUInt32LE(at + 4);
    frames.push(bytes.subarray(at, at + size));
    at += size;
  }
  return frames;
}
