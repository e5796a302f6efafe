/** What the files that strike volumes share: a container with one, and how nothing of either is left. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  createContainer,
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

export const VOLUME = "volume-of-victim";

/** /bin of the image is what a new volume is filled with: without its contents there is no ls. */
export const createWith = (engine: Engine, volume: { readonly name?: string }) =>
  createContainer(engine, {
    name: NAME,
    image: "busybox",
    command: ["ls", "/bin/busybox"],
    mounts: [{ type: "volume", target: "/bin", ...volume }],
  });

/** The command's: what a library starts would be this process's own child. */
export const runs = () => succeed("start", "-a", NAME);

/** A volume without a name goes with its container, however far either has come. */
export async function clean(engine: Engine): Promise<void> {
  await removeVolume(engine, VOLUME, { force: true });
  assert.deepEqual(listVolumes(engine), []);
}

export function strikeVolumes(scenarios: Readonly<Record<string, QuickScenario>>): void {
  useStore();

  describe("kill -9 at every step of", () => {
    before(async () => {
      // The directory of all volumes stays for good.
      await succeed("volume", "create", VOLUME);
      await succeed("volume", "rm", VOLUME);
    });

    for (const [name, scenario] of Object.entries(scenarios)) {
      it(name, async (t) => {
        const steps = await strikeAtEveryStep((fault) => strikeQuickly(scenario, fault));
        t.diagnostic(`${steps} steps`);
      });
    }
  });
}
