/**
 * A disk that grows while its container writes: full before, room after, and everything that was written is
 * still there. The kernel lets only CAP_SYS_RESOURCE do that; root of the test VM has it.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  createContainer,
  inspectContainer,
  startContainer,
  stopContainer,
  updateContainer,
} from "../../../src/engine/index.ts";
import { runProgram } from "../../support/cli.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

const MIB = 1024 * 1024;
const CAP_SYS_RESOURCE = 24n;
const mayGrow = (() => {
  const status = readFileSync("/proc/self/status", "utf8");
  const [, mask = "0"] = /^CapEff:\s*([0-9a-f]+)/m.exec(status) ?? [];
  return ((BigInt(`0x${mask}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
})();

/** Writes on and on, says when there is no room, and that it has come to its end. */
const WRITER = `
i=0
while [ $i -lt 20 ]; do
  if cp /bin/busybox /copy$i 2>/dev/shm/why; then i=$((i+1)); else
    cat /dev/shm/why; echo "full at $i"; rm -f /copy$i; sleep 1
  fi
done
sync
for i in $(seq 0 19); do cmp /bin/busybox /copy$i || exit 1; done
echo "all is there, of $(df -m / | awk 'END{print $2}') MiB"
sleep 1000
`;

async function untilLogged(directory: string, pattern: RegExp): Promise<RegExpExecArray> {
  const log = () => readFileSync(join(directory, "container.log"), "utf8");
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    const found = pattern.exec(log());
    if (found) return found;
    await setTimeout(50);
  }
  throw new Error(`never said ${pattern}: ${log()}`);
}

describe("a container's disk", { skip: busyboxRootUnavailable() ?? false }, () => {
  let store: TestStore;
  before(async () => {
    store = await makeStore();
  });
  after(() => store.remove());

  it("makes room for a process that writes, or says who may do that", async () => {
    const { engine } = store;
    const command = ["sh", "-c", WRITER];
    const disk = { sizeBytes: 32 * MIB };
    const request = { image: IMAGE, command, disk, stopTimeoutSeconds: 0 };
    const { id, quota } = await createContainer(engine, request);
    assert.equal(quota, undefined); // a file system of its own
    const directory = join(store.directory, "root/containers", id);
    const image = join(directory, "disk.img");
    await startContainer(engine, id);
    await untilLogged(directory, /No space left on device[\s\S]*full at \d+/);
    assert.ok(statSync(image).blocks * 512 <= 32 * MIB);

    const grow = () => updateContainer(engine, id, {}, { diskBytes: 96 * MIB });
    if (mayGrow) {
      await grow();
      assert.equal((await inspectContainer(engine, id)).status, "running");
    } else {
      await assert.rejects(grow, { code: "PERMISSION", hint: /CAP_SYS_RESOURCE/ });
      assert.equal(statSync(image).size, 32 * MIB);
      await stopContainer(engine, id);
      await grow();
      await startContainer(engine, id);
    }
    const [, size] = await untilLogged(directory, /all is there, of (\d+) MiB/);
    assert.ok(Number(size) > 80 && Number(size) <= 96, size);
    assert.equal(statSync(image).size, 96 * MIB);
    await stopContainer(engine, id);
    const check = await runProgram("/sbin/e2fsck", ["-f", "-n", image]);
    assert.equal(check.status, 0, check.stdout);
  });
});
