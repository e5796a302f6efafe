// @private
/**
 * kill -9 at every step of clones and of what they stand on: each has what it had, or is not there.
 */
import { before, describe } from "node:test";
import {
  CREATE,
  NAME,
  RUN,
  type Scenario,
  succeed,
  testEveryStep,
  useStore,
} from "../../support/faults.ts";

const CLONE = "clone-of-victim";
const write = ["cp", "/etc/hostname", `${NAME}:/one`];
const read = ["cp", `${NAME}:/one`, "-"];
const clone = ["clone", "--clear-identity", NAME, CLONE];
const dropClone = ["rm", "-f", CLONE];

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  clone: {
    given: [CREATE, write],
    command: clone,
    afterwards: [["snapshot", NAME], read],
    finally: [dropClone],
  },
  "clone of a container that runs": {
    given: [RUN, ["exec", NAME, "touch", "/one"]],
    command: ["clone", NAME, CLONE],
    afterwards: [["exec", NAME, "cat", "/one"]],
    finally: [dropClone],
  },
  // The clone is the one that must have all afterwards.
  "rm of the original": {
    given: [
      ["create", "--name", CLONE, "busybox", "true"],
      ["cp", "/etc/hostname", `${CLONE}:/one`],
      ["clone", CLONE, NAME],
    ],
    command: ["rm", CLONE],
    afterwards: [read],
    finally: [dropClone],
  },
  "rm of the last clone": {
    given: [
      ["create", "--name", CLONE, "busybox", "true"],
      ["cp", "/etc/hostname", `${CLONE}:/one`],
      ["clone", CLONE, NAME],
      ["rm", CLONE],
    ],
    command: ["rm", NAME],
    afterwards: [read],
  },
};

useStore();

describe("kill -9 at every step of", () => {
  before(async () => {
    // The lock's file stays for good.
    for (const args of [CREATE, ["snapshot", NAME], ["rm", NAME]]) await succeed(...args);
  });

  testEveryStep(SCENARIOS);
});
