// @vm
/**
 * Every limit, as typed: where the kernel's cgroup v2 has its controller (in the test VM it has all)
 * it holds inside the container, through update and a restart; elsewhere it is refused by its name.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readHierarchy } from "../../src/cgroups/index.ts";
import { Cli } from "../support/cli.ts";

const { mountPoint } = readHierarchy();
const CONTROLLERS = readFileSync(`${mountPoint}/cgroup.controllers`, "utf8").trim().split(" ");
/** A whole disk: I/O limits hold for those alone. */
const DISK = readdirSync("/sys/block").find((name) => /^(vd|sd|nvme|loop)/.test(name));

interface Limit {
  readonly controller: string;
  readonly options: readonly string[];
  /** In the container's cgroup, and what it says then. */
  readonly file: string;
  readonly value: () => string;
  /** For update, and the file's value after it. */
  readonly changed?: readonly string[];
  readonly changedValue?: () => string;
}

/** "option value" and what its file says, first at the start and then after update. */
function limit(
  controller: string,
  file: string,
  [options, value]: readonly [string, string],
  [changed, changedValue]: readonly [string, string],
): Limit {
  return {
    controller,
    file,
    options: options.split(" "),
    value: () => value,
    changed: changed.split(" "),
    changedValue: () => changedValue,
  };
}

function throttle(option: string, key: string): Limit {
  return {
    controller: "io",
    file: "io.max",
    options: [option, `/dev/${DISK}:1048576`],
    value: () => `${key}=1048576`,
  };
}

const LIMITS: readonly Limit[] = [
  limit("memory", "memory.max", ["--memory 64m", "67108864"], ["--memory 96m", "100663296"]),
  limit(
    "memory",
    "memory.high",
    ["--memory-high 48m", "50331648"],
    ["--memory-high 40m", "41943040"],
  ),
  limit(
    "memory",
    "memory.low",
    ["--memory-reservation 16m", "16777216"],
    ["--memory-reservation 8m", "8388608"],
  ),
  limit("cpu", "cpu.max", ["--cpus 0.5", "50000 100000"], ["--cpus 1.5", "150000 100000"]),
  limit("cpu", "cpu.weight", ["--cpu-weight 50", "50"], ["--cpu-weight 500", "500"]),
  limit("cpuset", "cpuset.cpus", ["--cpuset-cpus 0", "0"], ["--cpuset-cpus 1", "1"]),
  limit("cpuset", "cpuset.mems", ["--cpuset-mems 0", "0"], ["--cpuset-mems 0", "0"]),
  limit("pids", "pids.max", ["--pids-limit 40", "40"], ["--pids-limit 50", "50"]),
  throttle("--device-read-bps", "rbps"),
  throttle("--device-write-bps", "wbps"),
  throttle("--device-read-iops", "riops"),
  throttle("--device-write-iops", "wiops"),
];

let cli: Cli;
before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** Skips where this kernel gives cgroup v2 no such controller. */
function needs(t: TestContext, ...controllers: readonly string[]): boolean {
  const missing = controllers.filter((name) => !CONTROLLERS.includes(name));
  if (missing.length === 0) return true;
  t.skip(`cgroup v2 has no ${missing.join(", ")} controller here: the VM has`);
  return false;
}

describe("a limit whose controller is not there", () => {
  for (const { controller, options } of LIMITS) {
    it(`${options.join(" ")} is refused, and nothing is made`, async (t) => {
      if (CONTROLLERS.includes(controller)) return t.skip(`the ${controller} controller is here`);
      if (controller === "io" && DISK === undefined) return t.skip("no disk is here");
      const { status, stderr } = await cli.run(["run", ...options, "busybox", "true"]);
      const sentence = `Error: ${options[0]} needs the ${controller} controller, which "${mountPoint}" does not have`;
      assert.deepEqual([status, stderr.split("\n")[0]], [125, sentence]);
      assert.match(stderr, /^Hint: .*cgroup_no_v1=/m);
      assert.equal(await cli.ok("ps", "-aq"), "");
    });
  }
});

describe("limits", () => {
  it("hold inside, are changed by update, and stay changed over a restart", async (t) => {
    const there = LIMITS.filter(({ controller }) => CONTROLLERS.includes(controller));
    if (!needs(t, "memory", "cpu", "cpuset", "pids")) return;
    const told = async (file: string) =>
      cli.ok("exec", "box", "cat", `/sys/fs/cgroup/${file}`).then((text) => text.trim());
    const options = there.flatMap((each) => [...each.options]);
    await cli.ok("run", "-d", "--init", "--name", "box", ...options, "busybox", "sleep", "10000");
    for (const { file, value, options: typed } of there) {
      assert.ok((await told(file)).includes(value()), `${typed.join(" ")}: ${await told(file)}`);
    }
    await cli.ok("update", ...there.flatMap(({ changed = [] }) => [...changed]), "box");
    const changed = async () => {
      for (const { file, changedValue } of there) {
        if (changedValue) assert.equal(await told(file), changedValue(), file);
      }
    };
    await changed();
    await cli.ok("restart", "-t", "0", "box");
    await changed();
    const { HostConfig } = JSON.parse(await cli.ok("inspect", "box"))[0];
    assert.deepEqual([HostConfig.Memory, HostConfig.PidsLimit], [100_663_296, 50]);
    await cli.ok("rm", "-f", "box");
  });

  it("--memory-swap counts memory and swap together", async (t) => {
    if (!needs(t, "memory")) return;
    const swapOf = (...options: readonly string[]) =>
      cli.ok("run", "--rm", ...options, "busybox", "cat", "/sys/fs/cgroup/memory.swap.max");
    assert.equal(await swapOf("--memory", "64m", "--memory-swap", "64m"), "0");
    assert.equal(await swapOf("--memory", "64m", "--memory-swap", "96m"), "33554432");
    assert.equal(await swapOf("--memory", "64m", "--memory-swap", "-1"), "max");
  });

  it("--memory ends what takes too much, and inspect and events say why", async (t) => {
    if (!needs(t, "memory")) return;
    const run = ["run", "--name", "greedy", "--memory", "24m", "--memory-swap", "24m", "busybox"];
    const { status } = await cli.run([...run, "tail", "/dev/zero"]);
    assert.equal(status, 137);
    assert.equal(await cli.ok("inspect", "-f", "{{.State.OOMKilled}}", "greedy"), "true");
    const past = ["events", "--since", "1h", "--stream=false", "--filter", "container=greedy"];
    assert.match(await cli.ok(...past, "--format", "{{.Status}}"), /^oom$/m);
    await cli.ok("rm", "greedy");
  });

  it("stats tells what is used of them", async (t) => {
    if (!needs(t, "memory", "pids", "cpu")) return;
    const limits = ["--memory", "64m", "--pids-limit", "40"];
    await cli.ok(
      "run",
      "-d",
      "--name",
      "seen",
      ...limits,
      "busybox",
      "sh",
      "-c",
      "while :; do :; done",
    );
    const [stats] = JSON.parse(await cli.ok("stats", "--no-stream", "--format", "json", "seen"));
    assert.deepEqual([stats.MemLimitBytes, stats.PidsLimit, stats.PIDs], [67_108_864, 40, 1]);
    assert.ok(stats.MemUsageBytes > 0 && stats.CPUNano > 0, JSON.stringify(stats));
    assert.match(stats.CPUPerc, /^[1-9]\d*\.\d\d%$/);
    await cli.ok("rm", "-f", "seen");
  });

  it("a command that forks as fast as it can is stopped", async (t) => {
    if (!needs(t, "pids")) return;
    // An interactive shell goes on when fork(2) fails; the first process waits and does not listen.
    const bomb =
      "trap '' TERM; mkfifo /p; yes 'sleep 1000 &' | sh -i >/dev/null 2>&1 & read -r x < /p";
    await cli.ok("run", "-d", "--name", "bomb", "--pids-limit", "60", "busybox", "sh", "-c", bomb);
    const { Pid } = JSON.parse(await cli.ok("inspect", "bomb"))[0].State;
    const cgroup = cgroupOf(Pid);
    for (let tries = 0; !/max [1-9]/.test(readFileSync(`${cgroup}/pids.events`, "utf8")); tries++) {
      assert.ok(tries < 300, "it never met its limit");
      await sleep(100);
    }
    await cli.ok("stop", "-t", "1", "bomb");
    assert.equal(await cli.ok("inspect", "-f", "{{.State.Status}}", "bomb"), "exited");
    assert.ok(!existsSync(cgroup));
    await cli.ok("rm", "bomb");
  });
});

/** A process's directory in the v2 hierarchy. */
function cgroupOf(pid: number): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
  return `${mountPoint}${path}`;
}
