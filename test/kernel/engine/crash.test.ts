/**
 * Kills each command at every step it takes, one after the other, and shows that the next commands
 * understand what is left: nothing of it stays on the host.
 */
// @no-vm: some thousand processes, each a second of an emulated processor.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import {
  checkSystem,
  createContainer,
  type Engine,
  listContainers,
  openEngine,
  removeContainer,
  startContainer,
} from "../../../src/engine/index.ts";
import { readHierarchy, removeCgroup } from "../../../src/runtime/index.ts";
import { busyboxRoot, busyboxRootUnavailable } from "../../support/roots.ts";

/** Below the project, where the driver finds the stage. */
const BUNDLES = join(import.meta.dirname, "../../../node_modules/.cache");
const NAME = "subject";
const PARENT = `/tsrun-crash-${process.pid}`;
/** More steps than any command has: a command that never gets through is a failure. */
const STEPS_MAX = 120;

let directory: string;
let driver: string;
let rootfs: string;
let engine: Engine;

/** What there is of containers, wherever they leave traces. */
function traces(): string[] {
  const cgroups = `${readHierarchy().mountPoint}${PARENT}`;
  const directories = [
    `${engine.root}/containers`,
    `${engine.root}/names`,
    `${engine.root}/removing`,
    `${engine.runRoot}/containers`,
    `${engine.runRoot}/locks`,
  ];
  return [
    ...directories.flatMap((path) =>
      existsSync(path) ? readdirSync(path).map((n) => `${path}/${n}`) : [],
    ),
    ...(existsSync(cgroups)
      ? readdirSync(cgroups, { withFileTypes: true }).flatMap((entry) =>
          entry.isDirectory() ? [`cgroup ${entry.name}`] : [],
        )
      : []),
    ...supervisors(),
  ].filter((path) => !/\/(userns|names|events)$/.test(path));
}

/** A stage whose caller was killed before it had a record undoes its work by itself, in its own time. */
async function assertNoTraces(when: string): Promise<void> {
  for (let wait = 0; wait < 200 && traces().length > 0; wait += 1) await sleep(50);
  assert.deepEqual(traces(), [], when);
}

function supervisors(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      const ours = command.includes(`tsrun-supervisor ${NAME}`) || command.includes("while :; do");
      return ours && readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(PARENT)
        ? [`process ${pid}`]
        : [];
    } catch {
      return []; // it has just ended
    }
  });
}

/** It is started some two hundred times: as one file of JavaScript it is there in a third of the time. */
async function bundleDriver(): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, "crash-driver.ts")],
    outfile: driver,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    logLevel: "error",
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
  });
}

function drive(verb: string, fault: string | undefined): number | null {
  const { TSRUN_FAULT: _old, ...env } = process.env;
  const argv = [driver, engine.root, engine.runRoot, PARENT, rootfs, verb];
  const { status, stderr } = spawnSync(process.execPath, argv, {
    env: { ...env, ...(fault ? { TSRUN_FAULT: fault } : {}) },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  assert.notEqual(status, 2, stderr);
  return status;
}

/** Whatever is there: a forced removal and a repair leave nothing. */
async function clearAway(): Promise<void> {
  await listContainers(engine, { all: true });
  await removeContainer(engine, NAME, { force: true, ignoreMissing: true });
  const findings = await checkSystem(engine, { repair: true });
  assert.deepEqual(
    findings.filter(({ kind }) => kind === "damaged"),
    [],
  );
  assert.deepEqual(await checkSystem(engine), []);
}

interface Scene {
  readonly verb: string;
  readonly prepare: () => Promise<unknown>;
}

const create = () =>
  createContainer(engine, {
    rootfs,
    name: NAME,
    cgroupParent: PARENT,
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"],
  });
const createAndStart = async () => {
  await create();
  await startContainer(engine, NAME);
};

const SCENES: readonly Scene[] = [
  { verb: "create", prepare: async () => {} },
  { verb: "start", prepare: create },
  { verb: "exec", prepare: createAndStart },
  { verb: "stop", prepare: createAndStart },
  { verb: "remove", prepare: createAndStart },
  { verb: "run", prepare: async () => {} },
];

describe("a command that is killed", { skip: busyboxRootUnavailable() ?? false }, () => {
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "tsrun-crash-"));
    rootfs = await busyboxRoot();
    mkdirSync(BUNDLES, { recursive: true });
    driver = join(mkdtempSync(join(BUNDLES, "tsrun-crash-")), "driver.mjs");
    await bundleDriver();
    engine = openEngine({ root: join(directory, "root"), runRoot: join(directory, "run") });
  });
  after(async () => {
    await removeCgroup(`${readHierarchy().mountPoint}${PARENT}`);
    rmSync(directory, { recursive: true, force: true });
    rmSync(dirname(driver), { recursive: true, force: true });
  });

  for (const { verb, prepare } of SCENES) {
    it(`at any step of ${verb} leaves what the next commands can clear away`, async () => {
      let step = 1;
      for (; step <= STEPS_MAX; step++) {
        await prepare();
        const status = drive(verb, `step:${step}`);
        await clearAway();
        await assertNoTraces(`after a kill at step ${step}`);
        if (status === 0) break;
      }
      assert.ok(step > 2, "the command has no step to be killed at");
      assert.ok(step <= STEPS_MAX, "the command never got through");
    });
  }

  for (const who of ["op", "stage"]) {
    it(`start, killed at any request of the launch (${who}), leaves nothing either`, async () => {
      let op = 0;
      for (; op <= STEPS_MAX; op++) {
        await create();
        const status = drive("start", `${who}:${op}`);
        await clearAway();
        await assertNoTraces(`after a kill at op ${op}`);
        if (status === 0) break;
      }
      assert.ok(op > 10, `the launch had only ${op} requests`);
      assert.ok(op <= STEPS_MAX, "the launch never got through");
    });
  }
});
