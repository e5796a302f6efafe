import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerId, ContainerState, ExitRecord } from "../../../src/engine/records.ts";
import { deriveStatus } from "../../../src/engine/status.ts";

const BOOT = "boot-now";
const id = "a".repeat(64) as ContainerId;
const exit: ExitRecord = {
  pid: 100,
  exitCode: 3,
  signal: null,
  oomKilled: false,
  oomKills: 0,
  finishedAt: "2026-01-01T00:00:00Z",
  logLost: 0,
};

function state(status: ContainerState["status"], bootId = BOOT): ContainerState {
  return { version: 1, id, bootId, status, init: { pid: 100, startTime: "5" } };
}

interface Case {
  readonly name: string;
  readonly state?: ContainerState;
  readonly exit?: ExitRecord;
  readonly supervisorAlive?: boolean;
  readonly holderDead?: boolean;
  readonly hasRunDirectory?: boolean;
  readonly lockHeld?: boolean;
  readonly is: string;
}

/** "STATUS REMNANT" */
const CASES: readonly Case[] = [
  { name: "never ran", is: "created none" },
  { name: "ran and was cleared away", exit, is: "exited none" },
  {
    name: "ran when the machine went down",
    state: state("running", "before"),
    is: "created stale",
  },
  {
    name: "ended before the machine went down",
    state: state("running", "before"),
    exit,
    is: "exited stale",
  },
  {
    name: "is just being started",
    hasRunDirectory: true,
    lockHeld: true,
    is: "starting none",
  },
  {
    name: "was just being started when its starter was killed",
    hasRunDirectory: true,
    is: "created interrupted",
  },
  {
    name: "was started again when its starter was killed",
    hasRunDirectory: true,
    exit,
    is: "exited interrupted",
  },
  { name: "runs", state: state("running"), supervisorAlive: true, is: "running none" },
  { name: "is paused", state: state("paused"), supervisorAlive: true, is: "paused none" },
  {
    name: "has ended while its supervisor tidies up",
    state: state("running"),
    exit,
    supervisorAlive: true,
    is: "exited ended",
  },
  { name: "has ended", state: state("running"), exit, is: "exited ended" },
  {
    name: "is held by a command",
    state: state("paused"),
    supervisorAlive: true,
    is: "paused none",
  },
  {
    name: "was held by a command that was killed",
    state: state("paused"),
    supervisorAlive: true,
    holderDead: true,
    is: "running held",
  },
  {
    name: "ended after its holder was killed",
    state: state("paused"),
    exit,
    holderDead: true,
    is: "exited ended",
  },
  { name: "lost its supervisor", state: state("running"), is: "exited lost" },
  { name: "lost its supervisor while paused", state: state("paused"), is: "exited lost" },
];

describe("the status of a container that", () => {
  for (const {
    name,
    is,
    lockHeld = false,
    supervisorAlive = false,
    holderDead = false,
    ...seen
  } of CASES) {
    it(`${name} is ${is}`, () => {
      const hasRunDirectory = seen.hasRunDirectory ?? seen.state !== undefined;
      const facts = { ...seen, hasRunDirectory, bootId: BOOT, supervisorAlive, holderDead };
      const derived = deriveStatus(facts, { lockHeld });
      assert.equal(`${derived.status} ${derived.remnant}`, is);
    });
  }
});
