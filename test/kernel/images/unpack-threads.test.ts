// @no-vm
/** Layers that are large enough for a thread of their own. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { hasErrno, TsrunError } from "../../../src/base/errors.ts";
import { ImageStore, layerDirectories, pullImage } from "../../../src/images/index.ts";
import { UnpackPool } from "../../../src/images/unpack-pool.ts";
import { digestOf, FakeRegistry, type Member, tarOf } from "../../support/fake-registry.ts";

const LARGE = 3 * 2 ** 20;

let base: string;

before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-threads-"));
});
after(() => rmSync(base, { recursive: true, force: true }));

function refuses(code: string, words = /./) {
  return (error: unknown) =>
    error instanceof TsrunError && error.code === code && words.test(error.message);
}

describe("threads that unpack", () => {
  let directory: string;
  let pool: UnpackPool;

  beforeEach(() => {
    directory = mkdtempSync(join(base, "layers-"));
    pool = new UnpackPool();
  });
  afterEach(() => pool[Symbol.asyncDispose]());

  function place(name: string): string {
    mkdirSync(join(directory, name));
    return join(directory, name);
  }

  /** Writes the archive piece by piece into a file, and tells of each that is there. */
  async function* inPieces(bytes: Buffer, file: string, before?: () => Promise<void>) {
    for (let at = 0; at < bytes.length; at += 65_536) {
      if (at > 0) await before?.();
      const piece = bytes.subarray(at, at + 65_536);
      appendFileSync(file, piece);
      yield piece;
    }
  }

  function job(name: string, archive: Buffer) {
    return { directory: place(name), file: fileOf(name), diffId: digestOf(archive) };
  }

  function fileOf(name: string): string {
    return join(directory, `${name}.tar`);
  }

  it("work at the same time", async () => {
    // Each archive ends only when files of both are there.
    const bodies = ["one", "two"].map((name) => ({ name, body: randomBytes(LARGE) }));
    const places = bodies.map(({ name }) => join(directory, name));
    const both = async () => {
      const deadline = Date.now() + 20_000;
      while (!places.every((path, at) => existsSync(join(path, bodies[at]?.name ?? "")))) {
        assert.ok(Date.now() < deadline, "one waits for the other");
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const unpacked = await Promise.all(
      bodies.map(async (member) => {
        const tar = await tarOf([member]);
        return pool.unpack(inPieces(tar, fileOf(member.name), both), job(member.name, tar));
      }),
    );
    for (const [at, { name, body }] of bodies.entries()) {
      assert.deepEqual(readFileSync(join(places[at] ?? "", name)), body);
      assert.equal(unpacked[at]?.size, (await tarOf([{ name, body }])).length);
    }
  });

  it("say why they refuse an archive, and take the next", async () => {
    const hostile = await tarOf([{ name: "../outside", body: randomBytes(LARGE) }]);
    const refused = pool.unpack(inPieces(hostile, fileOf("hostile")), job("hostile", hostile));
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof TsrunError && error.hint !== undefined);
      return refuses("IMAGE_INVALID", /leads outside/)(error);
    });
    assert.ok(!existsSync(join(directory, "outside")));
    const good = await tarOf([{ name: "file", body: "x" }]);
    const { diffId } = await pool.unpack(inPieces(good, fileOf("good")), job("good", good));
    assert.equal(diffId, digestOf(good));
    const wrong = { ...job("wrong", good), diffId: digestOf(hostile) };
    await assert.rejects(
      pool.unpack(inPieces(good, fileOf("wrong")), wrong),
      refuses("IMAGE_INVALID", /unpacks to/),
    );
  });

  it("stop where the bytes break off, and give the reason for it", async () => {
    const tar = await tarOf([{ name: "file", body: randomBytes(LARGE) }]);
    const broken = new TsrunError("REGISTRY_UNAVAILABLE", "it hung up");
    async function* breaking() {
      yield* inPieces(tar.subarray(0, LARGE / 2), fileOf("broken"));
      throw broken;
    }
    await assert.rejects(pool.unpack(breaking(), job("broken", tar)), (error) => error === broken);
  });

  it("stop when they are told to", async () => {
    const tar = await tarOf([{ name: "file", body: randomBytes(LARGE) }]);
    const controller = new AbortController();
    async function* endless() {
      yield* inPieces(tar.subarray(0, LARGE / 2), fileOf("aborted"));
      controller.abort();
      // A source that knows nothing of the signal.
      for (;;) yield* inPieces(Buffer.alloc(65_536), fileOf("aborted"));
    }
    const { signal } = controller;
    const aborted = pool.unpack(endless(), { ...job("aborted", tar), signal });
    await assert.rejects(aborted, refuses("ABORTED"));
    const late = pool.unpack(inPieces(tar, fileOf("late")), { ...job("late", tar), signal });
    await assert.rejects(late, refuses("ABORTED"));
  });

  it("keep the kernel's error", async () => {
    const tar = await tarOf([{ name: "file", body: "x" }]);
    const missing = { ...job("there", tar), directory: join(directory, "missing") };
    const refused = pool.unpack(inPieces(tar, missing.file), missing);
    await assert.rejects(refused, (error) => hasErrno(error, "ENOENT"));
  });

  it("refuse a file that is shorter than they were told", async () => {
    const tar = await tarOf([{ name: "file", body: randomBytes(LARGE) }]);
    writeFileSync(fileOf("short"), tar.subarray(0, LARGE / 2));
    async function* untrue() {
      yield tar;
    }
    await assert.rejects(pool.unpack(untrue(), job("short", tar)), /is shorter than/);
  });

  it("may be started before there is anything to do, and end without", async () => {
    pool.prepare();
    pool.prepare();
    const tar = await tarOf([{ name: "file", body: "x" }]);
    await pool.unpack(inPieces(tar, fileOf("first")), job("first", tar));
    pool.end();
    await using idle = new UnpackPool();
    idle.prepare();
  });
});

describe("a pull of large layers", () => {
  let store: ImageStore;
  let registry: FakeRegistry;

  beforeEach(async () => {
    store = new ImageStore(mkdtempSync(join(base, "store-")));
    registry = await FakeRegistry.open();
  });
  afterEach(() => registry[Symbol.asyncDispose]());

  const large = (name: string): Member => ({ name, body: randomBytes(LARGE) });
  const pull = (options = {}) =>
    pullImage(store, `${registry.host}/app:1`, { insecure: true, environment: {}, ...options });

  function leftovers(): string[] {
    return ["blobs/sha256", "layers", "tmp"].flatMap((name) => {
      const path = join(store.directory, name);
      return existsSync(path) ? readdirSync(path).map((file) => `${name}/${file}`) : [];
    });
  }

  it("brings them all", async () => {
    const members = ["a", "b", "c", "d", "e"].map(large);
    await registry.publish(
      "app:1",
      members.map((member) => [member]),
    );
    const image = await pull();
    const directories = layerDirectories(store, image).toReversed();
    for (const [at, { name, body }] of members.entries()) {
      assert.deepEqual(readFileSync(join(directories[at] ?? "", name)), body);
    }
  });

  it("starts no thread for layers that are there, or small", async () => {
    let started = 0;
    const count = () => {
      started += 1;
    };
    process.on("worker", count);
    try {
      await registry.publish("app:1", [[{ name: "small", body: "x" }]]);
      await pull();
      assert.equal(started, 0);
      await registry.publish("app:1", [[large("file")]]);
      await pull();
      assert.equal(started, 1);
      await pull();
      assert.equal(started, 1);
    } finally {
      process.off("worker", count);
    }
  });

  it("keeps nothing of them where one is hostile", async () => {
    await registry.publish("app:1", [[large("good")], [large("../bad")], [large("other")]]);
    await assert.rejects(pull(), refuses("IMAGE_INVALID", /leads outside/));
    assert.equal(store.images().length, 0);
    assert.deepEqual(
      leftovers().filter((path) => path.startsWith("tmp/")),
      [],
    );
  });

  it("keeps nothing of one whose blob is not what its digest says", async () => {
    const { layers } = await registry.publish("app:1", [[large("file")]]);
    const [digest = ""] = layers;
    const bytes = Buffer.from(registry.blobs.get(digest) ?? "");
    bytes[LARGE / 2] = (bytes[LARGE / 2] ?? 0) ^ 1;
    registry.blobs.set(digest, bytes);
    await assert.rejects(pull(), refuses("IMAGE_INVALID"));
    assert.deepEqual(leftovers(), []);
  });

  it("can be aborted", async () => {
    const { layers } = await registry.publish("app:1", [[large("file")], [large("other")]]);
    const controller = new AbortController();
    registry.hook = (request, response) => {
      const digest = layers.find((layer) => request.url?.endsWith(layer));
      if (digest === undefined) return false;
      const bytes = registry.blobs.get(digest) ?? Buffer.alloc(0);
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, LARGE / 2), () => setImmediate(() => controller.abort()));
      return true;
    };
    await assert.rejects(pull({ signal: controller.signal }), refuses("ABORTED"));
    assert.deepEqual(leftovers(), []);
  });

  it("finds what a thread wrote when the archive was damaged after it was stored", async () => {
    const { layers } = await registry.publish("app:1", [[large("file")]]);
    const image = await pull();
    const [directory = ""] = layerDirectories(store, image);
    rmSync(directory, { recursive: true });
    const path = store.blobPath(layers[0] ?? "");
    const bytes = readFileSync(path);
    bytes[LARGE / 2] = (bytes[LARGE / 2] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await assert.rejects(pull(), refuses("IMAGE_INVALID"));
    assert.ok(!existsSync(directory));
  });
});
