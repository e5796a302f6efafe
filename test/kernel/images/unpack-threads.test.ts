// @no-vm
/** Layers that are large enough for a thread of their own. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
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

  async function* inPieces(bytes: Buffer, before?: () => Promise<void>) {
    for (let at = 0; at < bytes.length; at += 65_536) {
      if (at > 0) await before?.();
      yield bytes.subarray(at, at + 65_536);
    }
  }

  it("work at the same time", async () => {
    // Each archive ends only when files of both are there.
    const bodies = ["one", "two"].map((name) => ({ name, body: randomBytes(LARGE) }));
    const places = bodies.map(({ name }) => place(name));
    const both = async () => {
      const deadline = Date.now() + 20_000;
      while (!places.every((path, at) => existsSync(join(path, bodies[at]?.name ?? "")))) {
        assert.ok(Date.now() < deadline, "one waits for the other");
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const unpacked = await Promise.all(
      bodies.map(async (member, at) => {
        const tar = await tarOf([member]);
        const job = { directory: places[at] ?? "", diffId: digestOf(tar) };
        return pool.unpack(inPieces(tar, both), job);
      }),
    );
    for (const [at, { name, body }] of bodies.entries()) {
      assert.deepEqual(readFileSync(join(places[at] ?? "", name)), body);
      assert.equal(unpacked[at]?.size, (await tarOf([{ name, body }])).length);
    }
  });

  it("say why they refuse an archive, and take the next", async () => {
    const hostile = await tarOf([{ name: "../outside", body: randomBytes(LARGE) }]);
    const refused = pool.unpack(inPieces(hostile), {
      directory: place("hostile"),
      diffId: digestOf(hostile),
    });
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof TsrunError && error.hint !== undefined);
      return refuses("IMAGE_INVALID", /leads outside/)(error);
    });
    assert.ok(!existsSync(join(directory, "outside")));
    const good = await tarOf([{ name: "file", body: "x" }]);
    const { diffId } = await pool.unpack(inPieces(good), {
      directory: place("good"),
      diffId: digestOf(good),
    });
    assert.equal(diffId, digestOf(good));
    const wrong = { directory: place("wrong"), diffId: digestOf(hostile) };
    await assert.rejects(
      pool.unpack(inPieces(good), wrong),
      refuses("IMAGE_INVALID", /unpacks to/),
    );
  });

  it("stop where the bytes break off, and give the reason for it", async () => {
    const tar = await tarOf([{ name: "file", body: randomBytes(LARGE) }]);
    const broken = new TsrunError("REGISTRY_UNAVAILABLE", "it hung up");
    async function* breaking() {
      yield* inPieces(tar.subarray(0, LARGE / 2));
      throw broken;
    }
    const job = { directory: place("broken"), diffId: digestOf(tar) };
    await assert.rejects(pool.unpack(breaking(), job), (error) => error === broken);
  });

  it("stop when they are told to", async () => {
    const tar = await tarOf([{ name: "file", body: randomBytes(LARGE) }]);
    const controller = new AbortController();
    async function* endless() {
      yield* inPieces(tar.subarray(0, LARGE / 2));
      controller.abort();
      // A source that knows nothing of the signal: the thread must end it.
      for (;;) yield Buffer.alloc(65_536);
    }
    const job = { directory: place("aborted"), diffId: digestOf(tar), signal: controller.signal };
    await assert.rejects(pool.unpack(endless(), job), refuses("ABORTED"));
    const late = { ...job, directory: place("late") };
    await assert.rejects(pool.unpack(inPieces(tar), late), refuses("ABORTED"));
  });

  it("keep the kernel's error", async () => {
    const tar = await tarOf([{ name: "file", body: "x" }]);
    const job = { directory: join(directory, "missing"), diffId: digestOf(tar) };
    await assert.rejects(pool.unpack(inPieces(tar), job), (error) => hasErrno(error, "ENOENT"));
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
