// @vm
// @private
/**
 * kill -9 at every step of what gives a container a project quota, changes it and takes it away: no limit stays
 * of a project that nobody has.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createContainer, type Engine, inspectContainer } from "../../../src/engine/index.ts";
import { runProgram } from "../../support/cli.ts";
import {
  NAME,
  type QuickScenario,
  strikeAtEveryStep,
  strikeQuickly,
  succeed,
  useStore,
} from "../../support/faults.ts";
import { limitedProjects, mountQuotaFileSystem } from "../../support/quota.ts";

const MIB = 1024 * 1024;
const create = (engine: Engine) =>
  createContainer(engine, {
    name: NAME,
    image: "busybox",
    command: ["true"],
    disk: { sizeBytes: 16 * MIB },
  });

/** The limit is of the one container's project. */
async function isLimited(engine: Engine): Promise<void> {
  const { config } = await inspectContainer(engine, NAME);
  assert.deepEqual(limitedProjects(engine.root), [config.quota?.project]);
}
const isGone = (engine: Engine) => {
  assert.deepEqual(limitedProjects(engine.root), []);
  return Promise.resolve();
};

const SCENARIOS: Readonly<Record<string, QuickScenario>> = {
  "create --disk": {
    given: () => Promise.resolve(),
    command: ["create", "--name", NAME, "--disk", "16m", "busybox", "true"],
    afterwards: isLimited,
    clean: isGone,
  },
  "update --disk": {
    given: create,
    command: ["update", "--disk", "32m", NAME],
    afterwards: isLimited,
    clean: isGone,
  },
  "rm with a disk": { given: create, command: ["rm", NAME], afterwards: isLimited, clean: isGone },
};

const directory = mkdtempSync(join(tmpdir(), "tsrun-quota-"));
const made = await mountQuotaFileSystem(directory, "ext4");
after(async () => {
  if ("path" in made) await runProgram("umount", ["-l", made.path]);
  rmSync(directory, { recursive: true, force: true });
});
if ("path" in made) {
  process.env["TMPDIR"] = made.path; // of this file's process: here the store is made
  useStore();
}

describe("kill -9 at every step of", { skip: "skip" in made ? made.skip : false }, () => {
  before(async () => {
    // The lock of all projects stays for good.
    await succeed("create", "--name", NAME, "--disk", "16m", "busybox", "true");
    await succeed("rm", NAME);
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep((fault) => strikeQuickly(scenario, fault));
      t.diagnostic(`${steps} steps`);
    });
  }
});
