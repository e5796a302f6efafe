import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  flock,
  funlock,
  getXattr,
  listXattrs,
  pidfdGetfd,
  pidfdOpen,
  pipe2,
  receiveFds,
  removeXattr,
  sendFds,
  setXattr,
  socketpair,
  tryFlock,
  waitReadable,
} from "../../../src/ffi/index.ts";

const base = mkdtempSync(join(tmpdir(), "tsrun-files-"));
after(() => rmSync(base, { recursive: true }));

describe("flock", () => {
  const path = join(base, "lock");
  writeFileSync(path, "");

  it("is one holder's, or many readers'", () => {
    const [a, b] = [openSync(path, "r"), openSync(path, "r")];
    assert.ok(tryFlock(a, "exclusive"));
    assert.ok(!tryFlock(b, "exclusive"));
    assert.ok(!tryFlock(b, "shared"));
    funlock(a);
    assert.ok(tryFlock(a, "shared") && tryFlock(b, "shared"));
    assert.ok(!tryFlock(b, "exclusive"));
    closeSync(a);
    closeSync(b);
  });

  it("waits without stopping the event loop, and goes on when the holder closes", async () => {
    const [a, b] = [openSync(path, "r"), openSync(path, "r")];
    assert.ok(tryFlock(a, "exclusive"));
    let isFree = false;
    const waiting = flock(b, "exclusive").then(() => assert.ok(isFree));
    for (let tick = 0; tick < 10; tick++) await sleep(2); // the event loop runs meanwhile
    isFree = true;
    closeSync(a);
    await waiting;
    closeSync(b);
  });

  it("lets many waiters in one after the other", async () => {
    let holders = 0;
    let done = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const fd = openSync(path, "r");
        await flock(fd, "exclusive");
        assert.equal(++holders, 1);
        await sleep(1);
        holders--;
        done++;
        closeSync(fd);
      }),
    );
    assert.equal(done, 12);
  });

  it("can be given up", async () => {
    const [a, b] = [openSync(path, "r"), openSync(path, "r")];
    assert.ok(tryFlock(a, "exclusive"));
    await assert.rejects(flock(b, "exclusive", AbortSignal.timeout(30)), { code: "ABORTED" });
    await assert.rejects(flock(b, "exclusive", AbortSignal.abort()), { code: "ABORTED" });
    closeSync(a);
    closeSync(b);
  });
});

describe("extended attributes", () => {
  const file = join(base, "file");
  writeFileSync(file, "");

  it("are set, listed, read and removed, as bytes", () => {
    const value = Uint8Array.of(0, 1, 255);
    setXattr(file, "trusted.test", value);
    assert.deepEqual(getXattr(file, "trusted.test"), value);
    assert.deepEqual(listXattrs(file), ["trusted.test"]);
    assert.throws(() => setXattr(file, "trusted.test", value, "create"), { errno: "EEXIST" });
    setXattr(file, "trusted.test", new Uint8Array(0), "replace");
    assert.equal(getXattr(file, "trusted.test")?.length, 0);
    removeXattr(file, "trusted.test");
    assert.equal(getXattr(file, "trusted.test"), undefined);
    assert.throws(() => removeXattr(file, "trusted.test"), { errno: "ENODATA" });
    assert.throws(() => setXattr(file, "trusted.test", value, "replace"), { errno: "ENODATA" });
  });

  it("may be longer than the first guess", () => {
    const value = new Uint8Array(2000).fill(7);
    setXattr(file, "user.long", value);
    assert.deepEqual(getXattr(file, "user.long"), value);
    removeXattr(file, "user.long");
  });

  it("are the link's or its target's, as asked, or an open file's", () => {
    const link = join(base, "link");
    symlinkSync(file, link);
    setXattr(link, "trusted.on", Buffer.from("link"));
    setXattr({ path: link, follow: true }, "trusted.on", Buffer.from("file"));
    assert.equal(String(Buffer.from(getXattr(link, "trusted.on") ?? [])), "link");
    assert.equal(String(Buffer.from(getXattr(file, "trusted.on") ?? [])), "file");
    const fd = openSync(file, "r");
    assert.equal(String(Buffer.from(getXattr(fd, "trusted.on") ?? [])), "file");
    removeXattr(fd, "trusted.on");
    assert.deepEqual(listXattrs(fd), []);
    closeSync(fd);
  });
});

describe("descriptors through a socket", () => {
  it("arrive with their data, close-on-exec, and are the same file", () => {
    const [a, b] = socketpair();
    const [read, write] = pipe2();
    assert.equal(receiveFds(b), undefined);
    assert.equal(sendFds(a, Buffer.from("hello"), [read, write]), 5);
    const message = receiveFds(b, { maxFds: 3 });
    assert.equal(String(Buffer.from(message?.data ?? [])), "hello");
    assert.equal(message?.fds.length, 2);
    const [gotRead = -1, gotWrite = -1] = message?.fds ?? [];
    assert.ok(gotRead > 2 && gotWrite > 2 && gotRead !== read);
    for (const fd of [gotRead, gotWrite, read, write]) closeSync(fd);
    closeSync(a);
    assert.deepEqual(receiveFds(b), { data: new Uint8Array(0), fds: [] });
    closeSync(b);
  });

  it("of which more come than were expected are an error and are closed", () => {
    const [a, b] = socketpair();
    for (const count of [2, 3, 9]) {
      sendFds(a, Buffer.from("x"), new Array(count).fill(0));
      const next = openSync("/dev/null", "r");
      closeSync(next);
      assert.throws(() => receiveFds(b, { maxFds: 1 }), { code: "SYSTEM" });
      const now = openSync("/dev/null", "r");
      closeSync(now);
      assert.equal(now, next, "a descriptor was leaked");
    }
    closeSync(a);
    closeSync(b);
  });

  it("need a byte to travel with", () => {
    const [a, b] = socketpair();
    assert.throws(() => sendFds(a, new Uint8Array(0), [0]), { code: "INVALID_ARGUMENT" });
    assert.throws(() => sendFds(a, Buffer.from("x"), [9999]), { errno: "EBADF" });
    closeSync(a);
    closeSync(b);
    assert.throws(() => sendFds(a, Buffer.from("x"), []), { errno: "EBADF" });
  });

  it("can be taken from another process by pidfd", () => {
    const self = pidfdOpen(process.pid);
    const copy = pidfdGetfd(self, 0);
    assert.ok(copy > 2);
    closeSync(copy);
    assert.throws(() => pidfdGetfd(self, 9999), { errno: "EBADF" });
    closeSync(self);
  });
});

it("waits for a descriptor to become readable", async () => {
  const [a, b] = socketpair();
  let ready = false;
  const waiting = waitReadable(b).then(() => {
    ready = true;
  });
  await sleep(20);
  assert.equal(ready, false);
  sendFds(a, Buffer.from("x"), []);
  await waiting;
  await assert.rejects(waitReadable(b, AbortSignal.abort()), { code: "ABORTED" });
  closeSync(a);
  closeSync(b);
});
