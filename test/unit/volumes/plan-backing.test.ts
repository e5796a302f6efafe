import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { planBacking } from "../../../src/volumes/index.ts";

describe("planBacking", () => {
  for (const [name, options, backing] of [
    ["a directory of the store", {}, { kind: "directory" }],
    ["type=none as no type", { type: "none" }, { kind: "directory" }],
    ["an owner", { o: "uid=1000,gid=50" }, { kind: "directory", uid: 1000, gid: 50 }],
    ["podman's capitals", { o: "UID=7" }, { kind: "directory", uid: 7 }],
    [
      "a tmpfs",
      { type: "tmpfs", o: "size=64m,mode=1777" },
      { kind: "mount", type: "tmpfs", device: "tmpfs", options: ["size=64m", "mode=1777"] },
    ],
    [
      "docker's device=tmpfs, and a size by itself",
      { type: "tmpfs", device: "tmpfs", size: "1m" },
      { kind: "mount", type: "tmpfs", device: "tmpfs", options: ["size=1m"] },
    ],
    [
      "a device",
      { type: "ext4", device: "/dev/sdb1", o: "noatime" },
      { kind: "mount", type: "ext4", device: "/dev/sdb1", options: ["noatime"] },
    ],
    ["a size", { size: "10m" }, { kind: "image", sizeBytes: 10 * 2 ** 20 }],
    ["podman's o=size=", { o: "size=1GB" }, { kind: "image", sizeBytes: 2 ** 30 }],
    [
      "a bind mount by o, not recursive",
      { type: "none", o: "bind,ro", device: "/srv" },
      { kind: "bind", path: "/srv", options: ["bind", "ro"] },
    ],
    [
      "a bind mount by type, recursive",
      { type: "bind", device: "/srv" },
      { kind: "bind", path: "/srv", options: ["rbind"] },
    ],
  ] as const) {
    it(`reads ${name}`, () => assert.deepEqual(planBacking(options), backing));
  }

  for (const [name, options, code] of [
    ["an unknown option", { tpye: "tmpfs" }, "INVALID_ARGUMENT"],
    ["a device without a type", { device: "/dev/sdb1" }, "INVALID_ARGUMENT"],
    ["a type without a device", { type: "ext4" }, "INVALID_ARGUMENT"],
    ["a bind mount of nothing", { o: "bind" }, "INVALID_ARGUMENT"],
    ["a bind mount of a relative path", { o: "bind", device: "srv" }, "INVALID_ARGUMENT"],
    ["a bind mount of a type", { o: "bind", device: "/srv", type: "ext4" }, "INVALID_ARGUMENT"],
    ["words that mean nothing to a directory", { o: "noatime" }, "INVALID_ARGUMENT"],
    ["an owner that is no number", { o: "uid=root" }, "INVALID_ARGUMENT"],
    ["a size that is none", { size: "big" }, "INVALID_ARGUMENT"],
    ["a size with an owner", { size: "10m", o: "uid=5" }, "INVALID_ARGUMENT"],
    ["a size of a device", { size: "10m", type: "ext4", device: "/dev/sdb1" }, "INVALID_ARGUMENT"],
    ["a size of a directory", { size: "10m", o: "bind", device: "/srv" }, "INVALID_ARGUMENT"],
    ["an empty device", { type: "ext4", device: "" }, "INVALID_ARGUMENT"],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => planBacking(options),
        (error) => error instanceof TsrunError && error.code === code && error.hint !== undefined,
      );
    });
  }
});
