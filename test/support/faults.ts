/**
 * kill -9 at a chosen point of a command (TSRUN_FAULT, see src/base/fault.ts), and what must hold
 * afterwards: tsrun works on the container, and once it is removed the host is as before.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, it } from "node:test";
import { execa } from "execa";
import {
  checkSystem,
  type Engine,
  listContainers,
  openEngine,
  removeContainer,
} from "../../src/engine/index.ts";
import { assertHostUnchanged, type HostSnapshot, snapshotHost } from "./host.ts";
import { busyboxRoot } from "./roots.ts";

const TSRUN = join(import.meta.dirname, "../../bin/tsrun");
export const NAME = "victim";

let base: string;
let host: HostSnapshot;

interface Result {
  readonly exitCode: number | undefined;
  readonly killed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

async function tsrun(args: readonly string[], fault?: string): Promise<Result> {
  const { exitCode, signal, stdout, stderr } = await execa(TSRUN, args, {
    reject: false,
    stdin: "ignore",
    env: {
      TSRUN_ROOT: join(base, "root"),
      TSRUN_RUN_ROOT: join(base, "run"),
      ...(fault === undefined ? {} : { TSRUN_FAULT: fault }),
    },
  });
  return { exitCode, killed: signal === "SIGKILL", stdout, stderr };
}

export async function succeed(...args: string[]): Promise<string> {
  const result = await tsrun(args);
  assert.equal(result.exitCode, 0, `tsrun ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

export const RUN = ["run", "-d", "--stop-timeout", "0", "--name", NAME, "busybox", "sleep", "1000"];

export interface Scenario {
  readonly command: readonly string[];
  /** What is done before the command that is killed. */
  readonly given: readonly (readonly string[])[];
  /** What must work after it, whatever the kill has left. */
  readonly afterwards: readonly (readonly string[])[];
  /** What removes what is not the container's; it works whether there is anything or not. */
  readonly finally?: readonly (readonly string[])[];
  /** How many steps are tried; all without it. */
  readonly steps?: number;
}

export const CREATE = ["create", "--name", NAME, "--stop-timeout", "0", "busybox", "sleep", "1000"];

/** The container is removed whatever is left of it; the same name can be used at once. */
async function cleanUp(others: readonly (readonly string[])[]): Promise<void> {
  await succeed("ps", "-a");
  const removed = await tsrun(["rm", "-f", "-v", NAME]);
  assert.ok(
    removed.exitCode === 0 || /no container/.test(removed.stderr),
    `rm -f: exit ${removed.exitCode}: ${removed.stderr}`,
  );
  for (const args of others) await succeed(...args);
  await createAgain();
  await assertHostUnchanged(host);
}

async function createAgain(): Promise<void> {
  await succeed("system", "check", "--repair");
  await succeed(...CREATE);
  await succeed("rm", NAME);
}

async function exists(): Promise<boolean> {
  return (await tsrun(["inspect", NAME])).exitCode === 0;
}

/** Runs the command once with the fault, and fails unless everything can be used and removed after it. */
export async function strike(scenario: Scenario, fault: string): Promise<Result> {
  for (const args of scenario.given) await succeed(...args);
  const result = await tsrun(scenario.command, fault);
  if (await exists()) for (const args of scenario.afterwards) await succeed(...args);
  await cleanUp(scenario.finally ?? []);
  return result;
}

/** The same with only the command itself as a command: all else is done by the library, in no time. */
export interface QuickScenario {
  readonly command: readonly string[];
  readonly given: (engine: Engine) => Promise<unknown>;
  /** What must hold of the container, if there is one. */
  readonly afterwards: (engine: Engine) => Promise<unknown>;
  /** Removes what is not the container's. */
  readonly clean?: (engine: Engine) => Promise<unknown>;
}

export async function strikeQuickly(scenario: QuickScenario, fault: string): Promise<Result> {
  const engine = openEngine({ root: join(base, "root"), runRoot: join(base, "run") });
  await scenario.given(engine);
  const result = await tsrun(scenario.command, fault);
  if ((await listContainers(engine, { all: true })).length > 0) await scenario.afterwards(engine);
  await removeContainer(engine, NAME, { force: true, ignoreMissing: true, volumes: true });
  await checkSystem(engine, { repair: true });
  await scenario.clean?.(engine);
  await assertHostUnchanged(host);
  return result;
}

/**
 * Strikes at step after step until the command gets through; answers how many there are. With `most` no
 * more steps than those are tried.
 */
export async function strikeAtEveryStep(
  strikeAt: (fault: string) => Promise<Result>,
  most = MAX_STEPS,
): Promise<number> {
  for (let step = 1; step <= most; step += 1) {
    assert.ok(step < MAX_STEPS, "the command never gets through");
    const result = await strikeAt(`step:${step}`);
    if (result.killed) continue;
    assert.equal(result.exitCode, 0, `with a fault at step ${step}: ${result.stderr}`);
    assert.ok(step > 1, "the command has no step at all");
    return step - 1;
  }
  return most;
}

/** A test for each scenario: its command struck at every step. */
export function testEveryStep(scenarios: Readonly<Record<string, Scenario>>): void {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep((fault) => strike(scenario, fault), scenario.steps);
      t.diagnostic(`${steps} steps`);
    });
  }
}

/** More steps than any command has: one that is still killed here goes round in circles. */
const MAX_STEPS = 200;

/** The hooks of a file that strikes: a store of its own, and a look at the host before each test. */
export function useStore(): void {
  before(async () => {
    base = mkdtempSync(join(tmpdir(), "tsrun-faults-"));
    mkdirSync(join(base, "run"));
    await succeed("image", "import", await busyboxRoot(), "busybox");
    // What the first container of all leaves for good: cgroup parent, caches, directories, lock files.
    await succeed("run", "--rm", "--name", NAME, "busybox", "true");
    await createAgain();
  });
  beforeEach(() => {
    host = snapshotHost({ directories: [join(base, "root"), join(base, "run")] });
  });
  after(() => rmSync(base, { recursive: true, force: true }));
}
