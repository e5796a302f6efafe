/**
 * A config.json made bad, and what else is read as JSON, through the command line that engines call: run
 * or refused, in words and with a status, and nothing is left. TSRUN_FUZZ_ROUNDS tries more,
 * TSRUN_FUZZ_SEED others.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unavailable } from "../../engines/private-host.ts";
import { mutate, random } from "../../support/mutate-json.ts";
import { goodConfig } from "./good-config.ts";
import { SealedHost } from "./sealed-host.ts";

const ROUNDS = Number(process.env["TSRUN_FUZZ_ROUNDS"] ?? 25);
const SEED = Number(process.env["TSRUN_FUZZ_SEED"] ?? 0x6f63_6921);

describe("a hostile config.json", { skip: unavailable() ?? false }, () => {
  let host: SealedHost;

  before(async () => {
    host = await SealedHost.open();
  });
  after(() => host[Symbol.asyncDispose]());

  for (const userNamespace of [false, true]) {
    const where = userNamespace ? "in a user namespace" : "as root";

    it(`is tried from one that runs ${where}`, async () => {
      const { id, folder } = await host.bundle(goodConfig({ userNamespace }));
      const result = await host.call("run", "--bundle", folder, id);
      assert.equal(result.status, 0, result.stderr);
      await host.assertHarmless(result, "the good one");
    });

    it(`is run ${where}, or refused`, async () => {
      const pick = random(SEED + Number(userNamespace));
      const { id, folder } = await host.bundle({});
      let ran = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const config = goodConfig({ userNamespace });
        for (let changes = 1 + pick(2); changes > 0; changes -= 1) mutate(config, pick);
        const json = JSON.stringify(config);
        writeFileSync(join(folder, "config.json"), json);
        const result = await host.call("run", "--bundle", folder, id);
        if (result.status === 0) ran += 1;
        await host.assertHarmless(result, json);
      }
      assert.ok(ran > 0 && ran < ROUNDS, `${ran} of ${ROUNDS} ran`);
    });
  }

  it("a filter that forbids all system calls, to end too, is an error", async () => {
    for (const [defaultAction, defaultErrnoRet] of [
      ["SCMP_ACT_ERRNO", 1],
      ["SCMP_ACT_ERRNO", 0],
      ["SCMP_ACT_TRACE", 1],
      ["SCMP_ACT_KILL_PROCESS"],
      ["SCMP_ACT_KILL_THREAD"],
      ["SCMP_ACT_TRAP"],
    ]) {
      const config = goodConfig() as { linux: { seccomp: unknown } };
      config.linux.seccomp = {
        defaultAction,
        ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
      };
      const { id, folder } = await host.bundle(config as never);
      const result = await host.call("run", "--bundle", folder, id);
      const what = JSON.stringify(config.linux.seccomp);
      await host.assertHarmless(result, what);
      assert.notEqual(result.status, 0, what);
    }
  });

  it("a process of exec's, or limits of update's, are taken or refused; the container goes on", async () => {
    const pick = random(SEED + 2);
    const config = goodConfig() as { process: { args: string[] } };
    const program = structuredClone(config.process);
    config.process.args = ["sleep", "1000000"];
    const bundle = await host.bundle(config as never);
    const { id, folder } = bundle;
    assert.equal((await host.create(bundle)).status, 0);
    assert.equal((await host.call("start", id)).status, 0);
    for (let round = 0; round < ROUNDS / 2; round += 1) {
      const what = structuredClone(
        round % 2 === 0 ? program : { unified: { "cgroup.max.depth": "3" }, pids: { limit: 0 } },
      );
      mutate(what as never, pick);
      const json = JSON.stringify(what);
      const file = join(folder, "request.json");
      writeFileSync(file, json);
      const args = round % 2 === 0 ? ["exec", "--process", file, id] : ["update", "-r", file, id];
      host.assertNoCrash(await host.call(...args), `${args[0]} ${json}`);
      assert.match((await host.call("state", id)).stdout, /"status": "running"/);
    }
    await host.assertHarmless(await host.call("delete", "--force", id), "the container");
  });
});
