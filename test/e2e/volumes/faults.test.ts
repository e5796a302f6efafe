// @private
/**
 * kill -9 at every step of what makes, fills, mounts and removes volumes.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { NAME, type Scenario, strike, succeed, useStore } from "../../support/faults.ts";

const MAX_STEPS = 200;
const VOLUME = "volume-of-victim";

const make = ["volume", "create", VOLUME];
const makeTmpfs = ["volume", "create", "--opt", "type=tmpfs", VOLUME];
const remove = ["volume", "rm", "-f", VOLUME];
/** /bin of the image is what a new volume is filled with. */
const mount = ["--name", NAME, "-v", `${VOLUME}:/bin`];
const create = ["create", ...mount, "busybox", "ls", "/bin/busybox"];
const own = ["create", "--name", NAME, "-v", "/bin", "busybox", "ls", "/bin/busybox"];

/** The steps of a start that concern volumes are its first; what comes after them is faults.test.ts's. */
const VOLUME_STEPS = 6;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "volume rm": { given: [make], command: remove, afterwards: [], finally: [remove] },
  "create -v NAME: and a volume of its own": {
    given: [],
    command: ["create", ...mount, "-v", "/d", "busybox", "true"],
    afterwards: [],
    finally: [remove],
  },
  "a start that fills a volume": {
    given: [create],
    command: ["start", NAME],
    // Without its contents the container would have no ls.
    afterwards: [["start", "-a", NAME]],
    finally: [remove],
    steps: VOLUME_STEPS,
  },
  "a start that mounts a tmpfs": {
    given: [makeTmpfs, create],
    command: ["start", NAME],
    afterwards: [["start", "-a", NAME]],
    finally: [remove],
    steps: VOLUME_STEPS,
  },
  "rm -v": {
    given: [own],
    command: ["rm", "-v", NAME],
    afterwards: [["rm", "-v", NAME]],
    finally: [],
  },
};

useStore();
before(async () => {
  // The directory of all volumes stays for good.
  await succeed(...make);
  await succeed(...remove);
});

describe("kill -9 at every step of", () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      for (let step = 1; step <= (scenario.steps ?? MAX_STEPS); step += 1) {
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
