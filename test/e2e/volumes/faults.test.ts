// @private
/**
 * kill -9 at every step of what makes, fills, mounts and removes volumes.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  createContainer,
  createVolume,
  type Engine,
  listVolumes,
  removeVolume,
} from "../../../src/engine/index.ts";
import {
  NAME,
  type QuickScenario,
  strikeAtEveryStep,
  strikeQuickly,
  succeed,
  useStore,
} from "../../support/faults.ts";

const VOLUME = "volume-of-victim";

/** /bin of the image is what a new volume is filled with: without its contents there is no ls. */
const create = (engine: Engine, volume: { readonly name?: string }) =>
  createContainer(engine, {
    name: NAME,
    image: "busybox",
    command: ["ls", "/bin/busybox"],
    mounts: [{ type: "volume", target: "/bin", ...volume }],
  });

/** The command's: what a library starts would be this process's own child. */
const runs = () => succeed("start", "-a", NAME);

/** A volume without a name goes with its container, however far either has come. */
async function clean(engine: Engine): Promise<void> {
  await removeVolume(engine, VOLUME, { force: true });
  assert.deepEqual(listVolumes(engine), []);
}

const nothing = () => Promise.resolve();
const given = async (engine: Engine, options: Readonly<Record<string, string>> = {}) => {
  await createVolume(engine, { name: VOLUME, options });
  await create(engine, { name: VOLUME });
};

const SCENARIOS: Readonly<Record<string, QuickScenario>> = {
  "volume create": {
    given: nothing,
    command: ["volume", "create", VOLUME],
    afterwards: nothing,
    clean,
  },
  "volume rm": {
    given: (engine) => createVolume(engine, { name: VOLUME }),
    command: ["volume", "rm", VOLUME],
    afterwards: nothing,
    clean,
  },
  "create with a volume that has a name and one that has none": {
    given: nothing,
    command: [
      "create",
      "--name",
      NAME,
      "-v",
      `${VOLUME}:/bin`,
      "-v",
      "/d",
      "busybox",
      "ls",
      "/bin/ls",
    ],
    afterwards: runs,
    clean,
  },
  "a start that fills a volume": {
    given,
    command: ["start", "-a", NAME],
    afterwards: settled,
    clean,
  },
  "a start that mounts a tmpfs": {
    given: (engine) => given(engine, { type: "tmpfs" }),
    command: ["start", "-a", NAME],
    afterwards: settled,
    clean,
  },
  "rm -v": {
    given: (engine) => create(engine, {}),
    command: ["rm", "-v", NAME],
    afterwards: runs,
    clean,
  },
};

/** A start that was killed late has started it: that run ends first. */
async function settled(): Promise<void> {
  await succeed("stop", NAME);
  await runs();
}

useStore();

describe("kill -9 at every step of", () => {
  before(async () => {
    // The directory of all volumes stays for good.
    await succeed("volume", "create", VOLUME);
    await succeed("volume", "rm", VOLUME);
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep((fault) => strikeQuickly(scenario, fault));
      t.diagnostic(`${steps} steps`);
    });
  }
});
