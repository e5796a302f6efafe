// @private
/**
 * kill -9 at every step. Each command is run again and again with TSRUN_FAULT=step:N, N = 1, 2, …, and
 * is killed at its N-th change of the host, until it gets through.
 */
import { describe } from "node:test";
import { CREATE, NAME, RUN, type Scenario, testEveryStep, useStore } from "../support/faults.ts";

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
  "commit --pause": {
    given: [RUN],
    command: ["commit", "-q", "--pause", NAME],
    afterwards: [
      ["stop", NAME],
      ["commit", "-q", NAME],
      ["image", "prune"],
    ],
  },
  rm: { given: [CREATE], command: ["rm", NAME], afterwards: [] },
  "rm -f": { given: [RUN], command: ["rm", "-f", NAME], afterwards: [] },
  restart: { given: [RUN], command: ["restart", NAME], afterwards: [["restart", NAME]] },
};

useStore();

describe("kill -9 at every step of", () => {
  testEveryStep(SCENARIOS);
});
