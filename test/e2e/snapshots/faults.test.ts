// @private
/**
 * kill -9 at every step of what keeps and puts back: what the container had is there afterwards.
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

/** A file that the container has written, and one that it writes after the first snapshot. */
const write = ["cp", "/etc/hostname", `${NAME}:/one`];
const writeMore = ["cp", "/etc/hostname", `${NAME}:/two`];
const read = ["cp", `${NAME}:/one`, "-"];
const readMore = ["cp", `${NAME}:/two`, "-"];
const snapshot = ["snapshot", NAME, "s"];
const goesOn = [["snapshot", NAME], read];

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  snapshot: {
    given: [CREATE, write],
    command: snapshot,
    afterwards: [["start", NAME], ["stop", NAME], ...goesOn],
  },
  "snapshot of a container that runs": {
    given: [RUN, ["exec", NAME, "touch", "/one"]],
    command: snapshot,
    // It goes on: what is frozen could not execute.
    afterwards: [["exec", NAME, "cat", "/one"], ["stop", NAME], ["snapshot", NAME], read],
  },
  restore: {
    given: [CREATE, write, snapshot, writeMore, ["snapshot", NAME, "t"]],
    command: ["restore", NAME, "s"],
    afterwards: [...goesOn, ["restore", NAME, "t"], readMore],
  },
  "snapshot rm": {
    given: [CREATE, write, snapshot, writeMore, ["snapshot", NAME, "t"], ["restore", NAME, "s"]],
    command: ["snapshot", "rm", NAME, "t"],
    afterwards: [["restore", NAME, "s"], ...goesOn],
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
