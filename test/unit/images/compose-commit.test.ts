import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composeCommittedConfig, ociLayer } from "../../../src/images/compose-commit.ts";
import type { ImageConfig } from "../../../src/images/config.ts";

const BASE: ImageConfig = {
  created: "2001-01-01T00:00:00Z",
  author: "Base",
  architecture: "arm64",
  variant: "v8",
  os: "linux",
  rootfs: { type: "layers", diff_ids: ["sha256:a", "sha256:b"] },
  history: [{ created_by: "b" }, { created_by: "env", empty_layer: true }],
};
const NOW = "2020-01-01T00:00:00Z";

describe("composeCommittedConfig", () => {
  it("puts the layers on top of the base's, each with its history", () => {
    const config = composeCommittedConfig({
      base: { config: BASE },
      config: { Cmd: ["x"] },
      step: { created: NOW, createdBy: "sh", comment: "why" },
      diffIds: ["sha256:c", "sha256:d"],
    });
    assert.deepEqual(config.rootfs.diff_ids, ["sha256:a", "sha256:b", "sha256:c", "sha256:d"]);
    assert.deepEqual(config.history, [
      // Of the two layers of the base, one is not told of.
      { created: "2001-01-01T00:00:00Z" },
      { created_by: "b" },
      { created_by: "env", empty_layer: true },
      { created: NOW, created_by: "sh" },
      { created: NOW, created_by: "sh", comment: "why" },
    ]);
    const { architecture, variant, author, created } = config;
    assert.deepEqual(
      { architecture, variant, author, created },
      { architecture: "arm64", variant: "v8", author: "Base", created: NOW },
    );
  });

  it("keeps the platform of an image that it does not stand on", () => {
    const config = composeCommittedConfig({
      ...{ like: { config: BASE }, config: {}, step: { created: NOW, author: "Me" } },
      diffIds: ["sha256:c"],
    });
    assert.deepEqual(config, {
      ...{ architecture: "arm64", os: "linux", variant: "v8", author: "Me", created: NOW },
      ...{ config: {}, rootfs: { type: "layers", diff_ids: ["sha256:c"] } },
      history: [{ created: NOW, author: "Me" }],
    });
  });
});

describe("ociLayer", () => {
  it("calls docker's layers by OCI's names", () => {
    const layer = { digest: "sha256:a", size: 1 };
    const type = (mediaType: string) => ociLayer({ ...layer, mediaType }).mediaType;
    assert.equal(
      type("application/vnd.docker.image.rootfs.diff.tar.gzip"),
      "application/vnd.oci.image.layer.v1.tar+gzip",
    );
    assert.equal(
      type("application/vnd.oci.image.layer.v1.tar+zstd"),
      "application/vnd.oci.image.layer.v1.tar+zstd",
    );
  });
});
