import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerConfig, ContainerId, FrozenLayer } from "../../../../src/engine/records.ts";
import { checkDepth, planMerge } from "../../../../src/engine/snapshots/plan-merge.ts";

const A = "a".repeat(64) as ContainerId;

const stack = (...levels: readonly (readonly [level: number, count: number])[]): FrozenLayer[] =>
  levels
    .flatMap(([level, count]) => Array<number>(count).fill(level))
    .map((level, number) => ({ container: A, number, ...(level > 0 ? { level } : {}) }));

/** What becomes of the levels of a stack. */
function after(frozen: readonly FrozenLayer[], imageLayers = 1): readonly FrozenLayer[] {
  const merge = planMerge(frozen, imageLayers);
  if (!merge) return frozen;
  assert.deepEqual(merge.layers, frozen.slice(0, merge.layers.length), "the uppermost ones");
  return [
    { container: A, number: 1_000_000, level: merge.level },
    ...frozen.slice(merge.layers.length),
  ];
}

const levels = (frozen: readonly FrozenLayer[]) => frozen.map(({ level = 0 }) => level);

describe("planMerge", () => {
  it("leaves a stack as it is until it has 64 layers of one level", () => {
    assert.equal(planMerge([], 1), undefined);
    assert.equal(planMerge(stack([0, 63], [1, 63], [2, 1]), 1), undefined);
  });

  it("makes one of 64, and with it one of 64 of those, as digits carry", () => {
    assert.deepEqual(levels(after(stack([0, 64]))), [1]);
    assert.deepEqual(levels(after(stack([0, 64], [1, 2], [2, 1]))), [1, 1, 1, 2]);
    assert.deepEqual(levels(after(stack([0, 64], [1, 63], [2, 1]))), [2, 2]);
    assert.deepEqual(levels(after(stack([0, 64], [1, 63], [2, 63]))), [3]);
  });

  it("keeps a stack below 64 for each level, however often it is frozen", () => {
    let frozen: readonly FrozenLayer[] = [];
    let deepest = 0;
    for (let number = 0; number < 70_000; number += 1) {
      frozen = after([{ container: A, number }, ...frozen]);
      deepest = Math.max(deepest, frozen.length);
    }
    assert.ok(deepest <= 3 * 63, `${deepest}`);
  });

  it("makes one of a stack that was deep before there was merging", () => {
    assert.deepEqual(levels(after(stack([0, 497]))), [1]);
  });

  it("puts up with levels in any order: a restored backup does not know them", () => {
    assert.deepEqual(levels(after(stack([0, 64], [1, 1], [0, 300]))).slice(0, 3), [1, 1, 0]);
    assert.deepEqual(levels(after(stack([2, 1], [0, 500]))), [3]);
  });

  it("makes one of all where an image leaves no more room", () => {
    assert.deepEqual(levels(after(stack([0, 3]), 496)), [1]);
    assert.equal(planMerge(stack([0, 2]), 496), undefined);
    assert.equal(planMerge(stack([0, 1]), 498), undefined);
  });
});

describe("checkDepth", () => {
  it("says what to do when an image leaves no room at all", () => {
    const image = { id: "i", reference: "busybox", layers: Array<string>(498).fill("/l") };
    const config = { name: "web", image } as unknown as ContainerConfig;
    checkDepth(config, []);
    assert.throws(() => checkDepth(config, stack([0, 1])), {
      code: "OVERLAY_UNSUPPORTED",
      message: /already stands on 498 layers/,
      hint: /commit --squash web/,
    });
  });
});
