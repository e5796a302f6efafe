// @private
/**
 * Faults of the world around tsrun, each with its defined outcome: a supervisor that was killed, a
 * reboot, a root that vanished, a state directory that cannot be written, a disk that is full.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { busyboxRoot } from "../support/roots.ts";

const TSRUN = join(import.meta.dirname, "../../bin/tsrun");

let base: string;
let busybox: string;

interface Place {
  readonly root: string;
  readonly run: string;
}

before(async () => {
  base = mkdtempSync(join(tmpdir(), "tsrun-outcomes-"));
  busybox = await busyboxRoot();
});
after(() => rmSync(base, { recursive: true, force: true }));

function newPlace(): Place {
  const dir = mkdtempSync(join(base, "place-"));
  return { root: join(dir, "root"), run: join(dir, "run") };
}

async function tsrun({ root, run }: Place, ...args: string[]) {
  const env = { TSRUN_ROOT: root, TSRUN_RUN_ROOT: run };
  return execa(TSRUN, args, { reject: false, stdin: "ignore", env });
}

async function succeed(place: Place, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await tsrun(place, ...args);
  assert.equal(exitCode, 0, `tsrun ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function inspect(place: Place, name: string): Promise<Record<string, unknown>> {
  const [container] = JSON.parse(await succeed(place, "inspect", name)) as [
    { readonly State: Record<string, unknown> },
  ];
  return container.State;
}

/** Gone, or a zombie that only waits for whoever inherited it. */
async function hasEnded(pid: number): Promise<void> {
  for (let wait = 0; wait < 100; wait += 1) {
    const [, state = "Z"] = readIfThere(`/proc/${pid}/stat`).split(") ");
    if (state.startsWith("Z")) return;
    await sleep(50);
  }
  assert.fail(`process ${pid} lives on`);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The parent of a container's first process: its supervisor. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

describe("a supervisor that was killed", () => {
  it("takes its container along; the next command says so and starts it anew", async () => {
    const place = newPlace();
    await succeed(place, "image", "import", busybox, "busybox");
    await succeed(place, "run", "-d", "--name", "c", "busybox", "sleep", "1000");
    const pid = Number((await inspect(place, "c"))["Pid"]);
    process.kill(parentOf(pid), "SIGKILL");
    for (let wait = 0; wait < 50 && (await inspect(place, "c"))["Running"] === true; wait += 1) {
      await sleep(100);
    }
    const state = await inspect(place, "c");
    assert.equal(state["Status"], "exited");
    assert.equal(state["ExitCode"], 137);
    await hasEnded(pid);
    await succeed(place, "start", "c");
    assert.equal((await inspect(place, "c"))["Status"], "running");
    await succeed(place, "rm", "-f", "c");
  });
});

describe("a reboot", () => {
  it("leaves containers as they were at rest, ready to start", async () => {
    const place = newPlace();
    await succeed(place, "image", "import", busybox, "busybox");
    await succeed(
      place,
      "run",
      "-d",
      "--stop-timeout",
      "0",
      "--name",
      "c",
      "busybox",
      "sleep",
      "1000",
    );
    await succeed(place, "exec", "c", "sh", "-c", "echo kept > /file");
    await succeed(place, "stop", "c");
    // What a reboot is to tsrun: everything below /run is gone.
    rmSync(place.run, { recursive: true });
    assert.equal((await inspect(place, "c"))["Status"], "exited");
    await succeed(place, "start", "c");
    assert.equal(await succeed(place, "exec", "c", "cat", "/file"), "kept");
    await succeed(place, "rm", "-f", "c");
  });
});

describe("a root that vanished", () => {
  it("is one sentence that names it, and leaves the container startable again", async () => {
    const place = newPlace();
    const rootfs = join(base, "vanishing");
    cpSync(busybox, rootfs, { recursive: true, verbatimSymlinks: true });
    await succeed(place, "create", "--name", "c", "--rootfs", rootfs, "true");
    rmSync(rootfs, { recursive: true });
    const { exitCode, stderr } = await tsrun(place, "start", "c");
    assert.equal(exitCode, 125);
    assert.match(stderr, /vanishing/);
    cpSync(busybox, rootfs, { recursive: true, verbatimSymlinks: true });
    await succeed(place, "start", "-a", "c");
    await succeed(place, "rm", "c");
  });
});

/** A place on a file system of its own, mounted for one shell command only. */
function inMount(place: Place, options: string, script: string) {
  const dir = join(place.root, "..");
  const env = {
    ...process.env,
    TSRUN_ROOT: place.root,
    TSRUN_RUN_ROOT: place.run,
    TSRUN,
    BUSYBOX: busybox,
  };
  const mount = `mount -t tmpfs -o ${options} tmpfs ${dir}`;
  return spawnSync(
    "unshare",
    ["-m", "--propagation", "private", "sh", "-c", `${mount} && ${script}`],
    { env, encoding: "utf8" },
  );
}

describe("a disk that is full", () => {
  it("is told as such when an image does not fit, and what was unpacked is removed", () => {
    const place = newPlace();
    const { stdout, stderr } = inMount(
      place,
      "size=1m",
      'cd /; $TSRUN image import $BUSYBOX busybox; echo "status $?"; find $TSRUN_ROOT/images/tmp $TSRUN_ROOT/images/layers -mindepth 1',
    );
    assert.match(stderr, /disk is full/);
    assert.equal(stdout.trim(), "status 125");
  });

  it("does not stop a container from being stopped and removed", () => {
    const place = newPlace();
    const { stdout, stderr } = inMount(
      place,
      "size=8m",
      [
        "cd /",
        "$TSRUN image import -q $BUSYBOX busybox >/dev/null",
        "$TSRUN run -d --stop-timeout 0 --name c busybox sleep 1000 >/dev/null",
        "dd if=/dev/zero of=$TSRUN_ROOT/fill bs=64k 2>/dev/null",
        "$TSRUN stop c",
        "$TSRUN rm c",
        "ls $TSRUN_ROOT/containers",
      ].join("; "),
    );
    assert.doesNotMatch(stderr, /^Error/m);
    assert.deepEqual(stdout.trim().split("\n"), ["c", "c"]);
  });
});

describe("a state directory that cannot be written", () => {
  it("is one sentence with the directory in it, and nothing is left", () => {
    const place = newPlace();
    const dir = join(place.root, "..");
    mkdirSync(place.root, { recursive: true });
    const { stdout, stderr } = inMount(
      place,
      "size=8m",
      `cd /; mkdir $TSRUN_ROOT $TSRUN_RUN_ROOT; mount -o remount,ro ${dir}; $TSRUN create --rootfs $BUSYBOX true; echo "status $?"; $TSRUN ps -a -q; echo "status $?"`,
    );
    assert.match(stderr, /read-only/i);
    assert.ok(stderr.includes(dir), stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["status 125", "status 0"]);
  });
});
