// @vm
/**
 * A disk that grows while its container writes: full before, room after, and everything that was written is
 * still there. The kernel lets only CAP_SYS_RESOURCE do that; root of the test VM has it.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Cli, runProgram } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(async () => {
  await cli.run(["rm", "-f", "-a"]);
  await cli[Symbol.asyncDispose]();
});

const MIB = 1024 * 1024;
const CAP_SYS_RESOURCE = 24n;
const mayGrow = (() => {
  const [, mask = "0"] =
    /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
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
echo "all is there"
sleep 1000
`;

async function untilLogged(directory: string, pattern: RegExp): Promise<void> {
  const log = () => readFileSync(join(directory, "container.log"), "utf8");
  for (let attempt = 0; !pattern.test(log()); attempt += 1) {
    assert.ok(attempt < 3000, `never said ${pattern}: ${log()}`);
    await setTimeout(50);
  }
}

describe("update --disk", () => {
  it("makes room for a process that writes, or says who may do that", async () => {
    const limit = ["--disk", "32m", "--stop-timeout", "0"];
    const id = await cli.ok(
      "run",
      "-d",
      "--name",
      "writer",
      ...limit,
      "busybox",
      "sh",
      "-c",
      WRITER,
    );
    const directory = join(cli.base, "root/containers", id);
    const image = join(directory, "disk.img");
    await untilLogged(directory, /No space left on device[\s\S]*full at \d+/);
    assert.ok(statSync(image).blocks * 512 <= 32 * MIB);

    const { status, stderr } = await cli.run(["update", "--disk", "96m", "writer"]);
    if (mayGrow) {
      assert.equal(status, 0, stderr);
    } else {
      assert.equal(status, 125);
      assert.match(stderr, /running container cannot be grown here\n.*CAP_SYS_RESOURCE/);
      assert.equal(statSync(image).size, 32 * MIB);
      await cli.ok("stop", "writer");
      await cli.ok("update", "--disk", "96m", "writer");
      await cli.ok("start", "writer");
    }
    await untilLogged(directory, /all is there/);
    assert.equal(statSync(image).size, 96 * MIB);
    const size = await cli.ok("exec", "writer", "sh", "-c", "df -m / | awk 'END{print $2}'");
    assert.ok(Number(size) > 80 && Number(size) <= 96, size);
    await cli.ok("stop", "writer");
    const check = await runProgram("/sbin/e2fsck", ["-f", "-n", image]);
    assert.equal(check.status, 0, check.stdout);
  });
});
