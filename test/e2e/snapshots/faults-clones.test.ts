// @private
/**
 * kill -9 at every step of clones and of what they stand on: each has what it had, or is not there.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  CREATE,
  NAME,
  RUN,
  type Scenario,
  strike,
  succeed,
  useStore,
} from "../../support/faults.ts";

const MAX_STEPS = 200;

const CLONE = "clone-of-victim";
const write = ["cp", "/etc/hostname", `${NAME}:/one`];
const read = ["cp", `${NAME}:/one`, "-"];
const clone = ["clone", "--clear-identity", NAME, CLONE];
const dropClone = ["rm", "-f", CLONE];

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  clone: {
    given: [CREATE, write],
    command: clone,
    afterwards: [["snapshot", NAME], read],
    finally: [dropClone],
  },
  "clone of a container that runs": {
    given: [RUN, ["exec", NAME, "touch", "/one"]],
    command: ["clone", NAME, CLONE],
    afterwards: [["exec", NAME, "cat", "/one"]],
    finally: [dropClone],
  },
  // The clone is the one that must have all afterwards.
  "rm of the original": {
    given: [
      ["create", "--name", CLONE, "busybox", "true"],
      ["cp", "/etc/hostname", `${CLONE}:/one`],
      ["clone", CLONE, NAME],
    ],
    command: ["rm", CLONE],
    afterwards: [read],
    finally: [dropClone],
  },
  "rm of the last clone": {
    given: [
      ["create", "--name", CLONE, "busybox", "true"],
      ["cp", "/etc/hostname", `${CLONE}:/one`],
      ["clone", CLONE, NAME],
      ["rm", CLONE],
    ],
    command: ["rm", NAME],
    afterwards: [read],
  },
};

useStore();

describe("kill -9 at every step of", () => {
  before(async () => {
    // The lock's file stays for good.
    for (const args of [CREATE, ["snapshot", NAME], ["rm", NAME]]) await succeed(...args);
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      for (let step = 1; ; step += 1) {
        assert.ok(step < MAX_STEPS, "the command never gets through");
        const result = await strike(scenario, `step:${step}`);
        if (result.killed) continue;
        assert.equal(result.exitCode, 0, `with a fault at step ${step}: ${result.stderr}`);
        assert.ok(step > 1, "the command has no step at all");
        t.diagnostic(`${step - 1} steps`);
        return;
      }
    });
  }
});
