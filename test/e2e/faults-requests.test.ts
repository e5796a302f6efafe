// @private
/**
 * kill -9 at every kernel request of a launch: TSRUN_FAULT=op:N kills the command, stage:N the stage
 * itself, before the N-th.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RUN, type Scenario, strike, succeed, useStore } from "../support/faults.ts";

useStore();

describe("kill -9 at every kernel request of a launch", () => {
  // Without the masks: a hundred requests that are all alike.
  const command = [...RUN.slice(0, 1), "--security-opt", "unmask=ALL", ...RUN.slice(1)];
  const scenario: Scenario = { given: [], command, afterwards: [] };

  async function countOps(): Promise<number> {
    const args = command.slice(1).filter((arg) => arg !== "-d");
    const plan = JSON.parse(await succeed("plan", "--format", "json", ...args)) as {
      readonly ops: readonly unknown[];
    };
    return plan.ops.length;
  }

  for (const [who, kind] of [
    ["the command", "op"],
    ["the stage", "stage"],
  ] as const) {
    it(`of ${who}`, async (t) => {
      const count = await countOps();
      assert.ok(count > 40, `only ${count} requests`);
      for (let op = 0; op < count; op += 1) await strike(scenario, `${kind}:${op}`);
      t.diagnostic(`${count} requests`);
    });
  }
});
