import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layersOf, withLayers } from "../../../../src/engine/layers.ts";
import type { ContainerConfig, ContainerId } from "../../../../src/engine/records.ts";
import {
  findSnapshot,
  neededLayers,
  nextSnapshotName,
  ownersLeft,
  ownersOf,
  parseSnapshotName,
  planFreeze,
  planRestore,
  planSnapshot,
  planSnapshotRemoval,
} from "../../../../src/engine/snapshots/plan.ts";
import { cloneProcess, cloneRequest } from "../../../../src/engine/snapshots/plan-clone.ts";

const A = "a".repeat(64) as ContainerId;
const B = "b".repeat(64) as ContainerId;

const CONFIG: ContainerConfig = {
  version: 1,
  id: A,
  name: "web",
  createdAt: "2026-01-01T00:00:00Z",
  request: { image: "busybox", name: "web" },
  image: { id: "i", reference: "busybox", layers: ["/l1", "/l0"] },
  process: {
    args: ["sh"],
    env: ["PATH=/bin", "HOSTNAME=aaaaaaaaaaaa"],
    cwd: "/",
    user: "",
    stopSignal: "SIGTERM",
    stopTimeoutSeconds: 10,
  },
};
const DIRTY = { isClean: false, next: 1 };
const snapshot = (name: string) => ({ name, createdAt: "2026-01-02T00:00:00Z", running: false });
const own = (number: number) => ({ container: A, number });

/** The container after these commands, in which each finds changes. */
function after(...names: readonly string[]): ContainerConfig {
  return names.reduce((config, name, at) => {
    const frozen = planFreeze(config, { isClean: false, next: at + 1 });
    return withLayers(config, planSnapshot(config, frozen, snapshot(name)));
  }, CONFIG);
}

describe("planFreeze", () => {
  it("makes the current layer the uppermost frozen one, and the next number the current", () => {
    const first = planFreeze(CONFIG, DIRTY);
    assert.deepEqual(first, { current: 1, frozen: [own(0)], snapshots: [] });
    const second = planFreeze(withLayers(CONFIG, first), { isClean: false, next: 5 });
    assert.deepEqual(second, { current: 5, frozen: [own(1), own(0)], snapshots: [] });
  });

  it("stacks nothing where nothing was changed", () => {
    const layers = planFreeze(CONFIG, DIRTY);
    assert.equal(planFreeze(withLayers(CONFIG, layers), { isClean: true, next: 2 }), layers);
  });
});

describe("snapshots of a record", () => {
  it("stand on what was frozen when each was taken", () => {
    const { snapshots, frozen, current } = layersOf(after("one", "two"));
    assert.deepEqual(
      snapshots.map(({ name, frozen: stack }) => [name, stack]),
      [
        ["one", [own(0)]],
        ["two", [own(1), own(0)]],
      ],
    );
    assert.deepEqual([frozen, current], [[own(1), own(0)], 2]);
  });

  it("are put back by a new empty layer on what they stand on; all snapshots stay", () => {
    const config = after("one", "two");
    const restored = planRestore(layersOf(config), findSnapshot(config, "one"), 7);
    assert.deepEqual([restored.current, restored.frozen], [7, [own(0)]]);
    assert.equal(restored.snapshots.length, 2);
  });

  it("have names of their own", () => {
    const config = after("one");
    assert.throws(() => planSnapshot(config, layersOf(config), snapshot("one")), {
      code: "NAME_IN_USE",
    });
    assert.throws(() => findSnapshot(config, "two"), { code: "NOT_FOUND", hint: /snapshots web/ });
  });

  it("are named snap0, snap1 … where nobody says more", () => {
    assert.equal(nextSnapshotName(layersOf(CONFIG)), "snap0");
    assert.equal(nextSnapshotName(layersOf(after("snap0", "mine", "snap1"))), "snap2");
    const gap = planSnapshotRemoval(layersOf(after("snap0", "snap1")), "snap0");
    assert.equal(nextSnapshotName(gap), "snap0");
  });

  it("are not named what could be a path or an option", () => {
    for (const text of ["", ".x", "-x", "a/b", "a b", "x".repeat(129)]) {
      assert.throws(() => parseSnapshotName(text), { code: "INVALID_ARGUMENT" }, text);
    }
    assert.equal(parseSnapshotName("before-2026.01_x"), "before-2026.01_x");
  });
});

describe("what a record needs", () => {
  it("is its current layer, those below, and those of its snapshots", () => {
    assert.deepEqual(neededLayers(CONFIG), [`${A}/0`]);
    const config = after("one", "two");
    const restored = withLayers(
      config,
      planRestore(layersOf(config), findSnapshot(config, "one"), 7),
    );
    assert.deepEqual(new Set(neededLayers(restored)), new Set([`${A}/7`, `${A}/0`, `${A}/1`]));
  });

  it("may lie with other containers", () => {
    const frozen = [{ container: B, number: 3 }];
    const clone = withLayers(CONFIG, { current: 0, frozen, snapshots: [] });
    assert.deepEqual(neededLayers(clone), [`${A}/0`, `${B}/3`]);
    assert.deepEqual(ownersOf(clone), [A, B]);
    const own = { container: A, number: 1, level: 1 };
    assert.deepEqual(ownersLeft(clone, { current: 1, frozen: [own], snapshots: [] }), [A, B]);
    const more = { current: 1, frozen: [own, ...frozen], snapshots: [] };
    assert.deepEqual(ownersLeft(clone, more), [A]);
  });
});

describe("a clone's record", () => {
  const original = {
    ...CONFIG,
    request: {
      ...CONFIG.request,
      hostname: "web.example",
      mounts: [
        { type: "volume", name: "data", target: "/data" },
        { type: "volume", name: "0123abcd", target: "/own", anonymous: true },
      ],
    },
  } as const;

  it("has the name as its host name where the original was given one", () => {
    assert.equal(cloneRequest(original, { name: "web_2.b-" }).hostname, "web-2.b");
    assert.equal(cloneRequest(original, {}).hostname, undefined);
    assert.equal(cloneRequest(CONFIG, { name: "web2" }).hostname, undefined);
  });

  it("shares named volumes and gets others of its own", () => {
    assert.deepEqual(cloneRequest(original, { name: "b" }).mounts, [
      { type: "volume", name: "data", target: "/data" },
      { type: "volume", target: "/own" },
    ]);
  });

  it("may begin clean each time", () => {
    assert.equal(cloneRequest(CONFIG, { name: "b", rootMode: "shared" }).rootMode, "shared");
  });

  it("runs the original's command with its own host name in the environment", () => {
    const draft = { ...CONFIG, process: { ...CONFIG.process, args: [], env: ["HOSTNAME=new"] } };
    const { args, env } = cloneProcess(CONFIG, draft);
    assert.deepEqual([args, env], [["sh"], ["PATH=/bin", "HOSTNAME=new"]]);
  });
});
