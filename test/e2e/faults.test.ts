// @alone
/**
 * kill -9 at every step. Each command is run again and again with TSRUN_FAULT=step:N, N = 1, 2, …, and
 * is killed at its N-th change of the host, until it gets through; and with op:N and stage:N, which
 * kill the command, or the stage itself, before the N-th kernel request of the launch. Afterwards
 * tsrun must still work on the container, and once it is removed the host must be as before.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { execa } from "execa";
import { assertHostUnchanged, type HostSnapshot, snapshotHost } from "../support/host.ts";
import { busyboxRoot } from "../support/roots.ts";

const TSRUN = join(import.meta.dirname, "../../bin/tsrun");
/** More steps than any command has: one that is still killed here goes round in circles. */
const MAX_STEPS = 200;
const NAME = "victim";

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

async function succeed(...args: string[]): Promise<string> {
  const result = await tsrun(args);
  assert.equal(result.exitCode, 0, `tsrun ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

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

const RUN = ["run", "-d", "--stop-timeout", "0", "--name", NAME, "busybox", "sleep", "1000"];

interface Scenario {
  readonly command: readonly string[];
  /** What is done before the command that is killed. */
  readonly given: readonly (readonly string[])[];
  /** What must work after it, whatever the kill has left. */
  readonly afterwards: readonly (readonly string[])[];
}

const CREATE = ["create", "--name", NAME, "--stop-timeout", "0", "busybox", "sleep", "1000"];

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  create: { given: [], command: CREATE, afterwards: [] },
  // A start that is killed late has started it.
  start: { given: [CREATE], command: ["start", NAME], afterwards: [["restart", NAME]] },
  "run -d": { given: [], command: RUN, afterwards: [] },
  "run --rm": {
    given: [],
    command: ["run", "--rm", "--name", NAME, "busybox", "true"],
    afterwards: [],
  },
  exec: { given: [RUN], command: ["exec", NAME, "true"], afterwards: [["exec", NAME, "true"]] },
  stop: {
    given: [RUN],
    command: ["stop", NAME],
    afterwards: [
      ["stop", NAME],
      ["start", NAME],
    ],
  },
  pause: { given: [RUN], command: ["pause", NAME], afterwards: [["stop", NAME]] },
  rm: { given: [CREATE], command: ["rm", NAME], afterwards: [] },
  "rm -f": { given: [RUN], command: ["rm", "-f", NAME], afterwards: [] },
  restart: { given: [RUN], command: ["restart", NAME], afterwards: [["restart", NAME]] },
};

/** The container is removed whatever is left of it; the same name can be used at once. */
async function cleanUp(): Promise<void> {
  await succeed("ps", "-a");
  const removed = await tsrun(["rm", "-f", NAME]);
  assert.ok(
    removed.exitCode === 0 || /no container/.test(removed.stderr),
    `rm -f: exit ${removed.exitCode}: ${removed.stderr}`,
  );
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

async function strike(scenario: Scenario, fault: string): Promise<Result> {
  for (const args of scenario.given) await succeed(...args);
  const result = await tsrun(scenario.command, fault);
  if (await exists()) for (const args of scenario.afterwards) await succeed(...args);
  await cleanUp();
  return result;
}

describe("kill -9 at every step of", () => {
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
