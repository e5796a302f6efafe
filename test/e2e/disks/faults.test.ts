// @private
/**
 * kill -9 at every step of what makes, mounts, grows and removes a disk: neither mount nor loop device stays.
 */
import { describe } from "node:test";
import { NAME, type Scenario, testEveryStep, useStore } from "../../support/faults.ts";

const DISK = ["--disk", "16m", "--stop-timeout", "0"];
const create = ["create", "--name", NAME, ...DISK, "busybox", "sleep", "1000"];
const write = ["cp", "/etc/hostname", `${NAME}:/one`];
const read = ["cp", `${NAME}:/one`, "-"];

/** The steps of a start that concern the disk are its first; what comes after them is faults.test.ts's. */
const DISK_STEPS = 5;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "create --disk": { given: [], command: create, afterwards: [["start", NAME]] },
  "a start with a disk": {
    given: [create, write],
    command: ["start", NAME],
    afterwards: [
      ["restart", NAME],
      ["exec", NAME, "cat", "/one"],
    ],
    steps: DISK_STEPS,
  },
  "update --disk": {
    given: [create, write],
    command: ["update", "--disk", "32m", NAME],
    afterwards: [read, ["update", "--disk", "32m", NAME], read],
  },
  "rm with a disk": { given: [create, write], command: ["rm", NAME], afterwards: [read] },
};

useStore();

describe("kill -9 at every step of", () => {
  testEveryStep(SCENARIOS);
});
