import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { checkLifecycle, LIFECYCLE, type LifecycleCommand } from "../../../src/engine/lifecycle.ts";
import type { ContainerStatus } from "../../../src/engine/records.ts";

const STATUSES: readonly ContainerStatus[] = [
  "created",
  "starting",
  "running",
  "paused",
  "exited",
  "removing",
];
const COMMANDS = Object.keys(LIFECYCLE) as LifecycleCommand[];

/** One letter a status of STATUSES: y is legal, d is done already, - is refused. */
const TABLE: Readonly<Record<LifecycleCommand, string>> = {
  start: "y---y-",
  stop: "d-yyd-",
  kill: "--yy--",
  pause: "--y---",
  resume: "---y--",
  exec: "--y---",
  attach: "--yy--",
  remove: "y---y-",
  rename: "yyyyy-",
  update: "y-yyy-",
  stats: "--yy--",
  top: "--yy--",
  snapshot: "y-yyy-",
  restore: "y---y-",
  clone: "y-yyy-",
};

describe("the lifecycle", () => {
  for (const command of COMMANDS) {
    it(`lets ${command} through where it makes sense and nowhere else`, () => {
      const row = STATUSES.map((status) => {
        try {
          return checkLifecycle(command, status, { name: "web" }) ? "y" : "d";
        } catch (error) {
          assert.ok(error instanceof TsrunError);
          assert.equal(error.code, "WRONG_STATE");
          return "-";
        }
      });
      assert.equal(row.join(""), TABLE[command]);
    });
  }

  it("says for every refusal what is the matter and what can be done", () => {
    for (const command of COMMANDS) {
      for (const status of STATUSES) {
        try {
          checkLifecycle(command, status, { name: "web" });
        } catch (error) {
          assert.ok(error instanceof TsrunError);
          assert.match(error.message, /^cannot .+ the container "web": it is /);
          assert.match(error.hint ?? "", /\.$/);
        }
      }
    }
  });

  it("points to --force where a running container is to be removed", () => {
    assert.throws(
      () => checkLifecycle("remove", "running", { name: "web" }),
      (error: TsrunError) => error.hint?.includes("tsrun rm --force web") ?? false,
    );
  });

  it("points to resume where a paused container is in the way", () => {
    assert.throws(
      () => checkLifecycle("exec", "paused", { name: "web" }),
      (error: TsrunError) => error.hint?.includes("tsrun resume web") ?? false,
    );
  });
});
