// @no-vm
/** Pulling from a registry that is well, and from one that is not. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { TsrunError } from "../../../src/base/errors.ts";
import {
  ImageStore,
  layerDirectories,
  pullImage,
  type StoredImage,
} from "../../../src/images/index.ts";
import {
  digestOf,
  FakeRegistry,
  type Member,
  OCI_INDEX,
  OCI_MANIFEST,
  tarOf,
  zstd,
} from "../../support/fake-registry.ts";

const RETRY = { attempts: 4, firstPauseMs: 1, longestPauseMs: 4, longestRetryAfterMs: 2000 };
const ACCESS = {
  insecure: true,
  retry: RETRY,
  environment: {},
  conf: { searchRegistries: [], registries: [], aliases: new Map<string, string>() },
};

let base: string;
let store: ImageStore;
let registry: FakeRegistry;

before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-pull-"));
});
after(() => rmSync(base, { recursive: true, force: true }));
beforeEach(async () => {
  store = new ImageStore(mkdtempSync(join(base, "store-")));
  registry = await FakeRegistry.open();
});
afterEach(() => registry[Symbol.asyncDispose]());

function pull(name = "app:1", options = {}): Promise<StoredImage> {
  return pullImage(store, `${registry.host}/${name}`, { ...ACCESS, ...options });
}

function layer(image: StoredImage, at = 0): string {
  return layerDirectories(store, image).toReversed()[at] ?? "";
}

function refuses(code: string, words = /./) {
  return (error: unknown) =>
    error instanceof TsrunError && error.code === code && words.test(error.message);
}

/** What a store holds of images, names aside. */
function leftovers(): string[] {
  return ["blobs/sha256", "layers", "tmp", "ingest"].flatMap((name) => {
    const directory = join(store.directory, name);
    return existsSync(directory) ? readdirSync(directory).map((file) => `${name}/${file}`) : [];
  });
}

const BIG = randomBytes(600_000);
const FILES: readonly Member[] = [
  { name: "etc/", type: "directory", mode: 0o755 },
  { name: "etc/name", body: "one", mode: 0o640 },
  { name: "big", body: BIG },
];

function isBlob(request: IncomingMessage): boolean {
  return request.url?.includes("/blobs/") ?? false;
}

describe("a pull", () => {
  it("brings the layers, the configuration and the very manifest", async () => {
    const published = await registry.publish("team/app:1", [FILES, [{ name: "two", body: "2" }]], {
      config: { Cmd: ["sh"] },
    });
    const image = await pull("team/app:1");
    assert.equal(image.manifestDigest, published.digest);
    assert.equal(`sha256:${image.id}`, published.configDigest);
    assert.deepEqual(image.names, [`${registry.host}/team/app:1`]);
    assert.deepEqual(image.sources, [`${registry.host}/team/app@${published.digest}`]);
    assert.deepEqual(image.config.config, { Cmd: ["sh"] });
    assert.equal(readFileSync(join(layer(image, 0), "etc/name"), "utf8"), "one");
    assert.equal(readFileSync(join(layer(image, 1), "two"), "utf8"), "2");
    assert.deepEqual(readdirSync(join(store.directory, "tmp")), []);
    assert.deepEqual(readdirSync(join(store.directory, "ingest")), []);
  });

  it("asks for no layer that is there already, whatever the image", async () => {
    const common = await registry.publish("app:1", [FILES]);
    const digest = common.layers[0] ?? "";
    await registry.publish("app:2", [FILES, [{ name: "more", body: "x" }]]);
    await pull("app:1");
    await pull("app:2");
    await pull("app:1");
    assert.equal(registry.blobRequests(digest), 1);
  });

  it("takes plain, gzip and zstd layers of many frames for what they are", async () => {
    const bytes = await tarOf(FILES);
    const frames = (all: Buffer) =>
      Buffer.concat([zstd(all.subarray(0, 5000)), zstd(all.subarray(5000))]);
    const members = (all: Buffer) =>
      Buffer.concat([gzipSync(all.subarray(0, 5000)), gzipSync(all.subarray(5000))]);
    for (const [tag, compress] of [
      ["plain", (all: Buffer) => all],
      ["zstd", frames],
      ["estargz", members],
    ] as const) {
      await registry.publish(`app:${tag}`, [bytes], { compress });
      store = new ImageStore(mkdtempSync(join(base, "store-")));
      const image = await pull(`app:${tag}`);
      assert.ok(readFileSync(join(layer(image), "big")).equals(BIG), tag);
    }
  });

  it("chooses the platform from an index, and keeps the index's digest", async () => {
    const arm = await registry.publish("app:arm", [[{ name: "arm" }]], { architecture: "arm64" });
    const amd = await registry.publish("app:amd", [[{ name: "amd" }]], { architecture: "amd64" });
    const entry = (image: typeof arm, architecture: string) => ({
      mediaType: OCI_MANIFEST,
      digest: image.digest,
      size: image.manifest.length,
      platform: { os: "linux", architecture },
    });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [entry(arm, "arm64"), entry(amd, "amd64")],
      }),
    );
    const digest = registry.putManifest("app:both", index, OCI_INDEX);
    for (const [architecture, image] of [
      ["arm64", arm],
      ["amd64", amd],
    ] as const) {
      const pulled = await pull("app:both", { platform: { os: "linux", architecture } });
      assert.equal(pulled.manifestDigest, image.digest);
      assert.deepEqual(pulled.sources, [`${registry.host}/app@${digest}`]);
    }
    const none = pull("app:both", { platform: { os: "linux", architecture: "s390x" } });
    await assert.rejects(none, refuses("NOT_FOUND", /s390x/));
  });

  it("by digest is of that digest", async () => {
    const { digest } = await registry.publish("app:1", [FILES]);
    const image = await pull(`app@${digest}`);
    assert.equal(image.manifestDigest, digest);
    registry.manifests.set(`app:${digest}`, { type: OCI_MANIFEST, bytes: Buffer.from("{}") });
    await assert.rejects(pull(`app@${digest}`), refuses("IMAGE_INVALID", /has the digest/));
  });

  it("gives directories that a layer only uses the attributes that they have below", async () => {
    const home = { name: "home/", type: "directory", mode: 0o750, uid: 7, gid: 8 } as const;
    const plain = { name: "home/", type: "directory", mode: 0o755 } as const;
    const file = [{ name: "home/file", body: "x" }];
    await registry.publish("app:1", [[home], file]);
    await registry.publish("app:2", [[plain], file]);
    const first = await pull("app:1");
    const second = await pull("app:2");
    const seen = (image: StoredImage) => {
      const { mode, uid, gid } = statSync(join(layer(image, 1), "home"));
      return { mode: mode & 0o7777, uid, gid };
    };
    assert.deepEqual(seen(first), { mode: 0o750, uid: 7, gid: 8 });
    assert.deepEqual(seen(second), { mode: 0o755, uid: 0, gid: 0 });
    // And the other way round: what lies there alone does for the second image only.
    store = new ImageStore(mkdtempSync(join(base, "store-")));
    assert.deepEqual(seen(await pull("app:2")), { mode: 0o755, uid: 0, gid: 0 });
    assert.deepEqual(seen(await pull("app:1")), { mode: 0o750, uid: 7, gid: 8 });
  });

  it("that is done twice at once fetches and unpacks once", async () => {
    const published = await registry.publish("app:1", [FILES, [{ name: "two", body: "2" }]]);
    const images = await Promise.all([pull(), pull(), pull()]);
    for (const digest of published.layers) assert.equal(registry.blobRequests(digest), 1);
    assert.equal(new Set(images.map(({ id }) => id)).size, 1);
  });

  it("can be aborted, and leaves only what the next one goes on with", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const controller = new AbortController();
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(layers[0] ?? "-")) return false;
      const bytes = registry.blobs.get(layers[0] ?? "") ?? Buffer.alloc(0);
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 300_000));
      setTimeout(() => controller.abort(), 50);
      return true;
    };
    await assert.rejects(pull("app:1", { signal: controller.signal }), refuses("ABORTED"));
    assert.deepEqual(
      leftovers().filter((path) => !path.startsWith("ingest/")),
      [],
    );
    assert.equal(store.images().length, 0);
  });
});

describe("a registry that drops connections", () => {
  /** Sends half of a blob and hangs up, so many times. */
  function hangUp(digest: string, times: number): { readonly count: () => number } {
    let left = times;
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(digest) || left === 0) return false;
      left -= 1;
      cutOff(digest, request, response);
      return true;
    };
    return { count: () => times - left };
  }

  function cutOff(digest: string, request: IncomingMessage, response: ServerResponse): void {
    sendUpTo(startOf(request) + 100_000, digest, request, response);
  }

  function startOf(request: IncomingMessage): number {
    return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  }

  /** Promises the rest, and hangs up after that byte. */
  function sendUpTo(
    end: number,
    digest: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const bytes = registry.blobs.get(digest) ?? Buffer.alloc(0);
    const start = startOf(request);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": bytes.length - start,
      ...(start > 0
        ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
        : {}),
    });
    response.write(bytes.subarray(start, Math.max(start, end)), () => {
      setImmediate(() => response.destroy());
    });
  }

  it("is asked for the rest", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const cut = hangUp(layers[0] ?? "", 3);
    const image = await pull();
    assert.ok(readFileSync(join(layer(image), "big")).equals(BIG));
    assert.equal(cut.count(), 3);
    const ranges = registry.headers.flatMap(({ range }) => range ?? []);
    assert.equal(ranges.length, 3);
    assert.ok(!ranges.includes("bytes=0-"));
  });

  it("is asked for all of it if it knows no ranges", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    let first = true;
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(digest)) return false;
      delete request.headers.range;
      if (first) cutOff(digest, request, response);
      else registry.serveBlob(digest, request, response);
      first = false;
      return true;
    };
    const image = await pull();
    assert.ok(readFileSync(join(layer(image), "big")).equals(BIG));
  });

  it("and never sends more is given up, and what has come is kept for the next pull", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    let allowed = 250_000;
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(digest)) return false;
      sendUpTo(allowed, digest, request, response);
      return true;
    };
    await assert.rejects(pull(), refuses("REGISTRY_UNAVAILABLE"));
    const [kept = ""] = readdirSync(join(store.directory, "ingest"));
    assert.equal(`sha256:${kept}`, digest);
    const size = statSync(join(store.directory, "ingest", kept)).size;
    assert.ok(size > 0 && size <= 250_000, String(size));
    allowed = Number.POSITIVE_INFINITY;
    registry.headers.length = 0;
    const image = await pull();
    assert.ok(readFileSync(join(layer(image), "big")).equals(BIG));
    assert.deepEqual(
      registry.headers.flatMap(({ range }) => range ?? []),
      [`bytes=${size}-`],
    );
  });

  it("leaves a half that somebody spoils, and it is fetched anew", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    await registry.publish("app:other", [[{ name: "x", body: "x" }]]);
    await pull("app:other"); // the store's directories
    const half = join(store.directory, "ingest", digest.slice(7));
    writeFileSync(half, Buffer.alloc(1000, 1));
    const image = await pull();
    assert.ok(readFileSync(join(layer(image), "big")).equals(BIG));
    writeFileSync(half, Buffer.alloc(5_000_000));
    truncateSync(half, 2_000_000);
    store = new ImageStore(mkdtempSync(join(base, "store-")));
    assert.equal((await pull()).id, image.id);
  });
});

describe("a registry that lies", () => {
  async function refused(code: string, words: RegExp): Promise<void> {
    await assert.rejects(pull(), refuses(code, words));
    assert.equal(store.images().length, 0);
    assert.deepEqual(leftovers(), []);
  }

  function answer(digest: string, bytes: Buffer, headers: Record<string, number> = {}): void {
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(digest)) return false;
      response.writeHead(200, headers).end(bytes);
      return true;
    };
  }

  it("about a layer's contents is refused", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    const bytes = Buffer.from(registry.blobs.get(digest) ?? "");
    // In the stored bytes, behind what the decompressor looks at: only the digest tells.
    bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
    answer(digest, bytes);
    await refused("IMAGE_INVALID", /has the digest/);
  });

  it("about a layer's size is refused, too long or too short, with or without a length", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    const bytes = registry.blobs.get(digest) ?? Buffer.alloc(0);
    const more = Buffer.concat([bytes, Buffer.from("more")]);
    answer(digest, more, { "content-length": more.length });
    await refused("IMAGE_INVALID", /more than its/);
    answer(digest, more);
    await refused("IMAGE_INVALID", /more than its/);
    const fewer = bytes.subarray(0, 1000);
    answer(digest, fewer, { "content-length": fewer.length });
    await refused("IMAGE_INVALID", /fewer than its/);
  });

  it("about the configuration is refused", async () => {
    const { configDigest } = await registry.publish("app:1", [FILES]);
    const bytes = registry.blobs.get(configDigest) ?? Buffer.alloc(0);
    answer(configDigest, Buffer.from(bytes.toString().replace("linux", "Linux")));
    await refused("IMAGE_INVALID", /has the digest/);
  });

  it("about a diff id is refused", async () => {
    const tarBytes = await tarOf(FILES);
    const packed = gzipSync(tarBytes);
    const other = digestOf(Buffer.from("another"));
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: [other] },
      }),
    );
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: {
          mediaType: "application/vnd.oci.image.config.v1+json",
          digest: registry.put(config),
          size: config.length,
        },
        layers: [
          {
            mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
            digest: registry.put(packed),
            size: packed.length,
          },
        ],
      }),
    );
    registry.putManifest("app:1", manifest, OCI_MANIFEST);
    await assert.rejects(pull(), refuses("IMAGE_INVALID", /unpacks to/));
    assert.equal(store.images().length, 0);
    assert.deepEqual(readdirSync(store.layersDirectory), []);
    assert.deepEqual(readdirSync(store.temporaryDirectory), []);
  });

  it("about which range it sends is refused", async () => {
    const { layers } = await registry.publish("app:1", [FILES]);
    const digest = layers[0] ?? "";
    await registry.publish("app:other", [[{ name: "x", body: "x" }]]);
    await pull("app:other");
    const bytes = registry.blobs.get(digest) ?? Buffer.alloc(0);
    writeFileSync(join(store.directory, "ingest", digest.slice(7)), bytes.subarray(0, 1000));
    registry.hook = (request, response) => {
      if (!request.url?.endsWith(digest)) return false;
      response.writeHead(206, {
        "content-range": `bytes 2000-${bytes.length - 1}/${bytes.length}`,
        "content-length": bytes.length - 2000,
      });
      response.end(bytes.subarray(2000));
      return true;
    };
    await assert.rejects(pull(), refuses("REGISTRY_UNAVAILABLE", /another range/));
  });

  it("with a manifest without end is refused", async () => {
    await registry.publish("app:1", [FILES]);
    registry.hook = (request, response) => {
      if (!request.url?.includes("/manifests/")) return false;
      response.writeHead(200, { "content-type": OCI_MANIFEST });
      const chunk = Buffer.alloc(1 << 20, " ");
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", more);
      more();
      return true;
    };
    await assert.rejects(pull(), refuses("IMAGE_INVALID", /larger than/));
  });
});

describe("a registry that is busy", () => {
  it("is asked again, and as late as it wants", async () => {
    await registry.publish("app:1", [FILES]);
    const answers = new Map<string, number>();
    registry.hook = (request, response) => {
      const seen = (answers.get(request.url ?? "") ?? 0) + 1;
      answers.set(request.url ?? "", seen);
      if (seen > 2) return false;
      const status = seen === 1 ? 503 : 429;
      response.writeHead(status, status === 429 ? { "retry-after": "0" } : {}).end("busy");
      return true;
    };
    const image = await pull();
    assert.ok(existsSync(join(layer(image), "big")));
  });

  it("for good is given up with what it said", async () => {
    await registry.publish("app:1", [FILES]);
    registry.hook = (request, response) => {
      if (!isBlob(request)) return false;
      response.writeHead(503).end('{"errors":[{"message":"out for lunch\\u001b[31m"}]}');
      return true;
    };
    await assert.rejects(pull(), (error) => {
      assert.ok(error instanceof TsrunError);
      assert.equal(error.code, "REGISTRY_UNAVAILABLE");
      assert.match(error.message, /503.*out for lunch/);
      assert.ok(!error.message.includes("\u001b"));
      return true;
    });
    assert.equal(registry.requests.filter((line) => line.includes("/blobs/")).length, 4);
  });
});

describe("a hostile layer from a registry", () => {
  it("stays in its place or is refused", async () => {
    const outside = join(store.directory, "..", "outside");
    await registry.publish("app:1", [[{ name: "../../../outside", body: "x" }]]);
    await assert.rejects(pull(), refuses("IMAGE_INVALID", /leads outside/));
    await registry.publish("app:2", [
      [
        { name: "link", type: "symlink", linkname: "../../../.." },
        { name: "link/outside", body: "x" },
      ],
    ]);
    const image = await pull("app:2");
    assert.ok(!existsSync(outside));
    assert.ok(lstatSync(join(layer(image), "link")).isSymbolicLink());
    assert.equal(readFileSync(join(layer(image), "outside"), "utf8"), "x");
  });

  it("that never ends is a bomb", async () => {
    const bomb = await tarOf([{ name: "zeros", body: Buffer.alloc(30 << 20) }]);
    await registry.publish("app:1", [bomb]);
    const limits = { maxBytes: 10 << 20, maxEntries: 10 };
    await assert.rejects(pull("app:1", { limits }), refuses("IMAGE_INVALID", /more than/));
    assert.deepEqual(readdirSync(store.layersDirectory), []);
  });
});
