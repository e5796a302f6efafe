/** kill -9 at every step of `create --systemd-cgroup`: what is left of it, `delete --force` removes. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { unavailable, until } from "./private-host.ts";
import { SystemdHost } from "./systemd-host.ts";

const skip = unavailable("/lib/systemd/systemd", "/usr/bin/systemctl");
const MOST_STEPS = 60;

describe("create --systemd-cgroup, killed", { skip: skip ?? false }, () => {
  let systemd: SystemdHost;
  before(async () => {
    systemd = await SystemdHost.open();
  });
  after(() => systemd[Symbol.asyncDispose]());

  it("at any step leaves nothing that delete --force does not remove", async () => {
    const create = ["create", `--bundle=${await systemd.bundle("k")}`, "k"];
    let step = 1;
    for (; step < MOST_STEPS; step += 1) {
      const { status, signal, stdout } = await systemd.call(create, {
        TSRUN_FAULT: `step:${step}`,
      });
      await systemd.ok("delete", "--force", "k");
      await until(`no unit is left of step ${step}`, async () => {
        return (await systemd.units("pre-*")) === "";
      });
      assert.ok(!existsSync(systemd.host.cgroupFile("test.slice/pre-k.scope")), `step ${step}`);
      if (status === 0) break;
      assert.equal(signal, "SIGKILL", `step ${step}: ${stdout}`);
    }
    assert.ok(step > 8 && step < MOST_STEPS, `${step} steps`);
  });
});
