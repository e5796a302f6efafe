// @private
/**
 * kill -9 at every step of a snapshot and a clone that merge 64 layers: nothing is lost, and nothing stays.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import {
  createContainer,
  type Engine,
  inspectContainer,
  removeContainer,
  snapshotContainer,
} from "../../../src/engine/index.ts";
import { changedDirectories } from "../../../src/engine/layers.ts";
import {
  CREATE,
  NAME,
  type QuickScenario,
  strikeAtEveryStep,
  strikeQuickly,
  succeed,
  useStore,
} from "../../support/faults.ts";
import { fileOf, stackFrozenLayers } from "../../support/frozen-layers.ts";

const CLONE = "clone-of-victim";
const FROZEN = 63;

/** `snapshot`: it keeps the layers that are merged, which else are deleted one by one. */
const deep = async (engine: Engine, options: { readonly snapshot?: string } = {}) => {
  await createContainer(engine, { name: NAME, image: "busybox", command: ["true"] });
  await stackFrozenLayers(engine, NAME, FROZEN, options);
};
const given = (engine: Engine) => deep(engine, { snapshot: "kept" });

/** Whatever the kill has left: each file is there once, and the next snapshot works on it. */
const afterwards = async (engine: Engine) => {
  const { config } = await inspectContainer(engine, NAME);
  const layers = changedDirectories(engine, config) ?? [];
  for (let number = 0; number <= FROZEN; number += 1) {
    const having = layers.filter((layer) => existsSync(join(layer, fileOf(number))));
    assert.equal(having.length, 1, fileOf(number));
  }
  await snapshotContainer(engine, NAME);
};

const clean = (engine: Engine) =>
  removeContainer(engine, CLONE, { force: true, ignoreMissing: true });

const SCENARIOS: Readonly<Record<string, QuickScenario & { readonly steps?: number }>> = {
  "snapshot that merges": { given, command: ["snapshot", NAME, "s"], afterwards, clean },
  "clone that merges": { given, command: ["clone", NAME, CLONE], afterwards, clean },
  "snapshot that merges, and deletes what was merged": {
    given: (engine) => deep(engine),
    command: ["snapshot", NAME, "s"],
    afterwards,
    clean,
    steps: 13,
  },
};

useStore();

describe("kill -9 at every step of a", () => {
  before(async () => {
    // The lock's file stays for good.
    for (const args of [CREATE, ["snapshot", NAME], ["rm", NAME]]) await succeed(...args);
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep(
        (fault) => strikeQuickly(scenario, fault),
        scenario.steps,
      );
      t.diagnostic(`${steps} steps`);
    });
  }
});
