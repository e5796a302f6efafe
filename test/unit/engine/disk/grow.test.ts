import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planGrowth } from "../../../../src/engine/disk/grow.ts";
import { ownLayer, upperPaths } from "../../../../src/engine/layers.ts";
import type { ContainerConfig, ContainerId } from "../../../../src/engine/records.ts";

const id = "a".repeat(64) as ContainerId;
const config = (request: ContainerConfig["request"]) =>
  ({ version: 1, id, name: "web", request }) as ContainerConfig;
const disk = { sizeBytes: 1000, alloc: "static" } as const;

describe("planGrowth", () => {
  it("keeps how the disk is allocated; the same size again is no change", () => {
    assert.deepEqual(planGrowth(config({ disk }), 2000), { sizeBytes: 2000, alloc: "static" });
    assert.deepEqual(planGrowth(config({ disk }), 1000), disk);
  });

  it("refuses a smaller disk, and a disk where there is none", () => {
    assert.throws(() => planGrowth(config({ disk }), 999), {
      code: "INVALID_ARGUMENT",
      hint: /1000 bytes/,
    });
    assert.throws(() => planGrowth(config({}), 999), { code: "UNSUPPORTED", hint: /--disk/ });
  });
});

describe("a layer on a disk", () => {
  it("lies in the disk's mount point, any other beside it", () => {
    const engine = { root: "/r" };
    const paths = (request: ContainerConfig["request"], number: number) =>
      upperPaths(engine, ownLayer({ id, request }, number));
    assert.deepEqual(paths({}, 0), {
      dir: `/r/containers/${id}/upper`,
      work: `/r/containers/${id}/work`,
    });
    assert.equal(paths({ disk }, 2).dir, `/r/containers/${id}/disk/upper.2`);
  });
});
