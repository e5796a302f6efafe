import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TsrunError } from "../../../../src/base/errors.ts";
import {
  encodeManifest,
  parseHeader,
  parseManifest,
  parseTreeHeader,
} from "../../../../src/engine/backup/manifest.ts";
import type { ContainerConfig, ContainerId } from "../../../../src/engine/index.ts";

const ID = "a".repeat(64) as ContainerId;
const container: ContainerConfig = {
  version: 1,
  id: ID,
  name: "web",
  createdAt: "2026-01-01T00:00:00Z",
  request: { image: "busybox", namespaces: { time: { monotonicNs: 5n } } },
  image: { id: "b".repeat(64), reference: "busybox:latest", layers: ["/l"] },
  process: {
    args: ["sh"],
    env: [],
    cwd: "/",
    user: "0",
    stopSignal: "SIGTERM",
    stopTimeoutSeconds: 10,
  },
};
const manifest = {
  version: 1,
  id: "0".repeat(32),
  createdAt: "2026-01-01T00:00:00Z",
  container,
  trees: [`layer ${ID}.0`],
  volumes: [],
  withImage: false,
} as const;

const refuses = (parse: () => unknown) =>
  assert.throws(parse, (error) => {
    assert.ok(error instanceof TsrunError, String(error));
    assert.equal(error.code, "IMAGE_INVALID");
    assert.match(error.message, /^the backup "f" /);
    return true;
  });

describe("a backup's manifest", () => {
  it("is read as it was written", () => {
    const text = encodeManifest(manifest, { "tree/0/000000": "00" });
    assert.deepEqual(parseManifest(text, "f"), { manifest, digests: { "tree/0/000000": "00" } });
  });

  for (const [what, change] of [
    ["a name that is none", { name: "../x" }],
    ["no image", { image: undefined }],
    ["an image that is none", { image: { ...container.image, id: "../../x" } }],
    ["a root of the host", { request: { rootfs: "/" } }],
    ["a command that is none", { process: { ...container.process, args: "sh" } }],
    ["a record of a newer tsrun", { version: 9 }],
    [
      "layers that lead elsewhere",
      {
        version: 2,
        layers: { current: 0, frozen: [{ container: "../..", number: 0 }], snapshots: [] },
      },
    ],
    ["layers that are none", { version: 2, layers: { current: 0, frozen: "x", snapshots: [] } }],
    ["a request that is none", { request: null }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const changed = { ...container, ...change } as unknown as ContainerConfig;
      refuses(() => parseManifest(encodeManifest({ ...manifest, container: changed }, {}), "f"));
    });
  }

  const volume = { version: 1, name: "data", labels: {}, options: {}, copyUp: "done" };
  for (const [what, change, fits] of [
    ["as it should be", {}, true],
    ["with a name that leads elsewhere", { name: "../../etc" }, false],
    ["filled as no volume is", { copyUp: "half" }, false],
    ["with options that are none", { options: { size: 1 } }, false],
  ] as const) {
    it(`${fits ? "may have" : "is refused with"} a volume ${what}`, () => {
      const volumes = [{ ...volume, ...change } as never];
      const read = () => parseManifest(encodeManifest({ ...manifest, volumes }, {}), "f");
      if (fits) assert.deepEqual(read().manifest.volumes, volumes);
      else refuses(read);
    });
  }

  it("is a manifest or a TsrunError, whatever it holds", () => {
    const whole = JSON.parse(encodeManifest(manifest, {})) as Record<string, unknown>;
    const keys = Object.keys(whole);
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
        try {
          parseManifest(JSON.stringify({ ...whole, [key]: value }), "f");
        } catch (error) {
          assert.ok(error instanceof TsrunError, String(error));
        }
      }),
    );
  });
});

describe("the headers of a backup and of its trees", () => {
  for (const text of ["", "null", "{}", '{"version":2}', '{"version":1,"id":"x"}']) {
    it(`is not ${JSON.stringify(text)}`, () => refuses(() => parseHeader(text, "f")));
  }
  for (const tree of [
    { name: "layer ../../x", kind: "layer", removed: [] },
    { name: "volume data", kind: "layer", removed: [] },
    { name: "volume ../x", kind: "volume", removed: [] },
    { name: "volume data", kind: "volume", removed: [5] },
    { name: "volume data", kind: "volume" },
  ]) {
    it(`refuses the tree ${JSON.stringify(tree)}`, () =>
      refuses(() => parseTreeHeader(JSON.stringify(tree), "f")));
  }
});
