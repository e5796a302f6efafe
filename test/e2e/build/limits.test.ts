// @vm
/** The limits of a build, where cgroup v2 has them (in the test VM); elsewhere each is refused by name. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { readHierarchy } from "../../../src/cgroups/index.ts";
import { build } from "../../support/build-context.ts";
import { Cli } from "../../support/cli.ts";

const { mountPoint } = readHierarchy();
const CONTROLLERS = readFileSync(`${mountPoint}/cgroup.controllers`, "utf8").trim().split(" ");

it("limits hold for every RUN", async () => {
  await using cli = await Cli.open();
  const text = "FROM busybox\nRUN cd /sys/fs/cgroup; cat memory.max pids.max cpu.max > /limits\n";
  const limits = ["--memory", "64m", "--pids-limit", "20", "--cpus", "0.5"];
  const { status, stdout, stderr } = await build(cli, text, {}, limits);
  if (!["memory", "pids", "cpu"].every((controller) => CONTROLLERS.includes(controller))) {
    assert.equal(status, 125);
    assert.match(stderr, /Containerfile:2: .*controller/);
    return;
  }
  assert.equal(status, 0, stderr);
  const seen = await cli.ok("run", "--rm", stdout.trim(), "cat", "/limits");
  assert.equal(seen, "67108864\n20\n50000 100000");
});
