// @vm
/**
 * kill -9 at every step of what gives a container a project quota, changes it and takes it away: no limit stays
 * of a project that nobody has.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  checkSystem,
  createContainer,
  type Engine,
  inspectContainer,
  listContainers,
  removeContainer,
} from "../../../src/engine/index.ts";
import { runProgram, TSRUN } from "../../support/cli.ts";
import { strikeAtEveryStep } from "../../support/faults.ts";
import { limitedProjects, mountQuotaFileSystem } from "../../support/quota.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

const NAME = "victim";
const MIB = 1024 * 1024;
const create = async (engine: Engine) => {
  const disk = { sizeBytes: 16 * MIB };
  await createContainer(engine, { name: NAME, image: IMAGE, command: ["true"], disk });
};

const SCENARIOS = {
  "create --disk": {
    given: () => Promise.resolve(),
    command: ["create", "--name", NAME, "--disk", "16m", IMAGE, "true"],
  },
  "update --disk": { given: create, command: ["update", "--disk", "32m", NAME] },
  "rm with a disk": { given: create, command: ["rm", NAME] },
} as const;

const directory = mkdtempSync(join(tmpdir(), "tsrun-quota-"));
const made = await mountQuotaFileSystem(directory, "ext4");
const path = "path" in made ? made.path : "";

describe("kill -9 at every step of", { skip: "skip" in made ? made.skip : false }, () => {
  let store: TestStore;
  before(async () => {
    const { TMPDIR } = process.env;
    process.env["TMPDIR"] = path; // of this process: here the store is made
    try {
      store = await makeStore();
    } finally {
      if (TMPDIR === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = TMPDIR;
    }
  });
  after(() => store.remove());

  async function strike(
    { given, command }: (typeof SCENARIOS)[keyof typeof SCENARIOS],
    fault: string,
  ) {
    const { engine } = store;
    const { root, runRoot } = store.store;
    await given(engine);
    const env = { TSRUN_ROOT: root, TSRUN_RUN_ROOT: runRoot, TSRUN_FAULT: fault };
    const { status, signal, stdout, stderr } = await runProgram(TSRUN, command, { env });
    if ((await listContainers(engine, { all: true })).length > 0) {
      const { config } = await inspectContainer(engine, NAME);
      assert.deepEqual(limitedProjects(path), [config.quota?.project]);
    }
    await removeContainer(engine, NAME, { force: true, ignoreMissing: true });
    await checkSystem(engine, { repair: true });
    assert.deepEqual(limitedProjects(path), []);
    assert.deepEqual(readdirSync(join(root, "containers")), []);
    return { exitCode: status ?? undefined, killed: signal === "SIGKILL", stdout, stderr };
  }

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep((fault) => strike(scenario, fault));
      t.diagnostic(`${steps} steps`);
    });
  }
});

after(async () => {
  if (path !== "") await runProgram("umount", ["-l", path]);
  rmSync(directory, { recursive: true, force: true });
});
