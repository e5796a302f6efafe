import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { MEDIA_TYPES } from "../../../src/images/config.ts";
import {
  chooseMember,
  parseImageConfig,
  parseManifest,
} from "../../../src/images/parse-manifest.ts";
import { parsePlatform } from "../../../src/images/platform.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const LAYER = { mediaType: MEDIA_TYPES.layerGzip, digest: DIGEST, size: 3 };
const MANIFEST = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.manifest,
  config: { mediaType: MEDIA_TYPES.config, digest: DIGEST, size: 2 },
  layers: [LAYER],
};

function parse(document: unknown, mediaType = "") {
  return parseManifest(Buffer.from(JSON.stringify(document)), mediaType);
}

function refuses(document: unknown, code: string, mediaType = ""): void {
  assert.throws(
    () => parse(document, mediaType),
    (error) => error instanceof TsrunError && error.code === code,
    JSON.stringify(document),
  );
}

describe("a manifest", () => {
  it("is OCI's or docker's, by its own word or the header's", () => {
    assert.equal(parse(MANIFEST).kind, "manifest");
    const { mediaType: _, ...silent } = MANIFEST;
    assert.equal(parse(silent, MEDIA_TYPES.manifest).kind, "manifest");
    const docker = {
      ...MANIFEST,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: { ...MANIFEST.config, mediaType: MEDIA_TYPES.dockerConfig },
    };
    assert.equal(parse(docker).kind, "manifest");
    assert.equal(parse({ schemaVersion: 2, manifests: [] }, MEDIA_TYPES.dockerList).kind, "index");
  });

  it("that could be read as two things is refused", () => {
    refuses({ ...MANIFEST, manifests: [] }, "IMAGE_INVALID");
    refuses({ ...MANIFEST, mediaType: MEDIA_TYPES.index, manifests: [] }, "IMAGE_INVALID");
    refuses({ ...MANIFEST, mediaType: MEDIA_TYPES.index }, "IMAGE_INVALID");
  });

  it("with a digest that is a path is refused", () => {
    for (const digest of ["sha256:../../etc/passwd", "md5:aa", "sha256:AA", "", 3, undefined]) {
      refuses({ ...MANIFEST, layers: [{ ...LAYER, digest }] }, "IMAGE_INVALID");
      refuses({ ...MANIFEST, config: { ...MANIFEST.config, digest } }, "IMAGE_INVALID");
    }
  });

  it("without sizes, layers or sense is refused", () => {
    refuses({ ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, "IMAGE_INVALID");
    refuses({ ...MANIFEST, layers: [{ ...LAYER, size: 1.5 }] }, "IMAGE_INVALID");
    refuses({ ...MANIFEST, layers: undefined }, "IMAGE_INVALID");
    refuses([], "IMAGE_INVALID");
    refuses(null, "IMAGE_INVALID");
  });

  it("of another kind of thing, or of another age, says so", () => {
    refuses({ schemaVersion: 1, name: "old" }, "UNSUPPORTED");
    const chart = {
      mediaType: "application/vnd.cncf.helm.config.v1+json",
      digest: DIGEST,
      size: 1,
    };
    refuses({ ...MANIFEST, config: chart }, "UNSUPPORTED");
  });
});

describe("an index", () => {
  const member = (architecture: string, variant?: string) => ({
    mediaType: MEDIA_TYPES.manifest,
    digest: `sha256:${architecture}`,
    size: 1,
    platform: { os: "linux", architecture, ...(variant ? { variant } : {}) },
  });

  it("gives the member for the platform, the plainest of several", () => {
    const members = [member("amd64", "v3"), member("amd64"), member("arm64", "v8"), member("386")];
    const choose = (text: string) => chooseMember(members, parsePlatform(text));
    assert.equal(choose("linux/amd64"), members[1]);
    assert.equal(choose("amd64"), members[1]);
    assert.equal(choose("linux/x86_64/v3"), members[0]);
    assert.equal(choose("linux/arm64"), members[2]);
    assert.equal(choose("linux/arm64/v8"), members[2]);
    assert.throws(() => choose("linux/s390x"), /not there for linux\/s390x/);
    assert.throws(() => choose("linux/arm64/v9"), TsrunError);
  });

  it("may leave out the platform of its only member", () => {
    const { platform: _, ...only } = member("amd64");
    assert.equal(chooseMember([only], parsePlatform("arm64")), only);
  });
});

describe("an image's configuration", () => {
  const manifest = { ...MANIFEST, schemaVersion: 2 as const };
  const config = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [DIGEST] },
  };
  const parseConfig = (value: unknown) =>
    parseImageConfig(Buffer.from(JSON.stringify(value)), manifest);

  it("has a diff id for each layer, and is for Linux", () => {
    assert.equal(parseConfig(config).architecture, "amd64");
    assert.throws(() => parseConfig({ ...config, rootfs: { diff_ids: [] } }), TsrunError);
    assert.throws(() => parseConfig({ ...config, rootfs: { diff_ids: ["../x"] } }), TsrunError);
    assert.throws(() => parseConfig({ ...config, os: "windows" }), /windows/);
  });

  it("has nothing where it says null", () => {
    const { config: process } = parseConfig({ ...config, config: { Cmd: null, Env: ["A=1"] } });
    assert.deepEqual(process, { Env: ["A=1"] });
  });

  it("with a process of the wrong form is refused", () => {
    for (const process of [{ Env: "A=1" }, { Cmd: [1] }, { User: 0 }, { Labels: [] }]) {
      assert.throws(
        () => parseConfig({ ...config, config: process }),
        (error) => error instanceof TsrunError && error.code === "IMAGE_INVALID",
        JSON.stringify(process),
      );
    }
  });
});
