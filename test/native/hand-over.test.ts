/**
 * What an engine's containers are launched with: descriptors that stay open, a look for the program, a
 * process that waits for its start alone, and a stage that leaves. Needs root.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { kill, pipe2, processExists, waitReadable } from "../../src/ffi/index.ts";
import { type Op, type PlannedOp, type Slot, WIRE } from "../../src/plan/index.ts";
import { buildStage, CLONE, exec, isGone, plan, planned, run, Stage, sh, until } from "./stage.ts";

const slot = (index: number) => index as Slot;
const child = (op: Op) => planned("child", op);
const LEAVE = { leave: true, childDiesWithStage: false };
const options = process.getuid?.() === 0 ? {} : { skip: "needs root" };

let dir = "";
before(() => {
  buildStage();
  dir = mkdtempSync(join(tmpdir(), "tsrun-hand-over-"));
});
after(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string): number {
  const path = join(dir, name);
  writeFileSync(path, text);
  return openSync(path, "r");
}

describe("keepFds", options, () => {
  const keep = (first: number, count: number): Op => ({
    kind: "keepFds",
    first: slot(first),
    count,
  });

  /** What a program sees of three files in the first slots. */
  async function kept(ops: readonly PlannedOp[], script: string) {
    const inherit = ["one\n", "two\n", "three\n"].map((text) => file(text.trim(), text));
    try {
      return await run(plan([...ops, sh(script)], { inheritedFds: 3 }), { inherit });
    } finally {
      for (const fd of inherit) closeSync(fd);
    }
  }

  const OPEN = 'for f in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && printf "$f "; done';

  it("makes slots the descriptors from 3 on, in their order, and nothing else stays open", async () => {
    const outcome = await kept([child(keep(0, 3))], `cat <&3; cat <&4; cat <&5; ${OPEN}`);
    assert.equal(outcome.failed, undefined);
    assert.equal(outcome.output, "one\ntwo\nthree\n3 4 5 ");
  });

  it("takes as many as it is told, from any slot on", async () => {
    const outcome = await kept([child(keep(1, 1))], `cat <&3; ${OPEN}`);
    assert.equal(outcome.output, "two\n3 ");
  });

  it("without it none stays open", async () => {
    assert.equal((await kept([], OPEN)).output, "");
  });

  it("an empty slot is EBADF", async () => {
    const closed = child({ kind: "close", slot: slot(1) });
    const outcome = await kept([closed, child(keep(0, 3))], "true");
    assert.equal(outcome.failed, "1 EBADF");
  });
});

describe("findExec", options, () => {
  const find = child({ kind: "findExec" });
  const program = (...candidates: readonly string[]) =>
    child({ kind: "exec", lists: { argv: ["sh", "-c", "echo ran"], env: [], candidates } });
  const failure = async (...candidates: readonly string[]) =>
    (await run(plan([find, program(...candidates)]))).failed;

  it("fails as the exec would, in its place", async () => {
    const [folder, script] = [join(dir, "folder"), join(dir, "script")];
    mkdirSync(folder);
    writeFileSync(script, "#!/bin/sh\n");
    chmodSync(script, 0o644);
    assert.equal(await failure(join(dir, "nothing")), "0 ENOENT");
    assert.equal(await failure(join(script, "below")), "0 ENOENT");
    assert.equal(await failure(script), "0 EACCES");
    assert.equal(await failure(folder), "0 EACCES");
    assert.equal(await failure(script, join(dir, "nothing")), "0 EACCES", "the more telling one");
  });

  it("passes where one of the candidates can be executed", async () => {
    const outcome = await run(plan([find, program(join(dir, "nothing"), "/bin/sh")]));
    assert.equal(outcome.failed, undefined);
    assert.equal(outcome.output, "ran\n");
  });
});

describe("a stage that leaves", options, () => {
  it("ends when the program runs, which goes on without it", async () => {
    const [read, write] = pipe2();
    using stage = Stage.start(plan([sh("read line; echo got $line")], { supervision: LEAVE }), {
      stdin: read,
    });
    closeSync(read);
    const output = stage.output();
    const running = await stage.next("running");
    assert.equal(await stage.end(), "exited 0");
    assert.equal(await stage.next("exited"), undefined, "its end is nobody's business");
    const pid = running?.value ?? 0;
    assert.ok(processExists(pid));
    assert.notEqual(parentOf(pid), stage.pid);
    writeSync(write, "more\n");
    closeSync(write);
    assert.equal(await output, "got more\n");
  });

  it("still tells what failed, and undoes it", async () => {
    const made = join(dir, "made");
    const outcome = await run(
      plan(
        [
          planned("host", { kind: "mkdir", path: made, mode: 0o755 }),
          exec("/no/such"),
          planned("teardown", { kind: "rmdir", path: made, retryMs: 0 }),
        ],
        { supervision: LEAVE },
      ),
    );
    assert.deepEqual(outcome.kinds, ["failed"]);
    assert.equal(outcome.failed, "1 ENOENT");
    assert.throws(() => readFileSync(made), { code: "ENOENT" });
  });
});

describe("awaitStart", options, () => {
  const wait = child({ kind: "awaitStart", start: slot(0), result: slot(1) });

  /** A process that waits: the stage has left it. */
  async function waiting(last: PlannedOp, cloneFlags = 0) {
    const paths = ["start", "result"].map((name) => join(mkdtempSync(join(dir, "f-")), name));
    const [start = "", result = ""] = paths;
    execFileSync("mkfifo", paths);
    const inherit = paths.map((path) => openSync(path, "r+"));
    const given = plan([wait, last], { inheritedFds: 2, cloneFlags, supervision: LEAVE });
    const stage = Stage.start(given, { inherit });
    for (const fd of inherit) closeSync(fd);
    const pid = (await stage.next("waiting"))?.value ?? 0;
    const results = openSync(result, constants.O_RDONLY | constants.O_NONBLOCK);
    const release = () => {
      const fd = openSync(start, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(fd, "G");
      closeSync(fd);
    };
    return { stage, pid, results, release };
  }

  it("waits on its own, until a byte comes", async () => {
    const { stage, pid, results, release } = await waiting(sh("echo started"));
    using _ = stage;
    assert.equal(await stage.end(), "exited 0");
    assert.deepEqual(
      stage.reports.map(({ kind }) => kind),
      ["waiting"],
    );
    assert.ok(processExists(pid));
    assert.notEqual(parentOf(pid), stage.pid);
    const output = stage.output();
    release();
    assert.equal(await output, "started\n");
    await waitReadable(results);
    assert.equal(readSync(results, Buffer.alloc(24)), 0, "success is the end of file alone");
    closeSync(results);
  });

  it("writes what failed after that as a report, with the op's kind", async () => {
    const { stage, results, release } = await waiting(exec("/no/such"));
    using _ = stage;
    await stage.end();
    release();
    await waitReadable(results);
    const report = new DataView(new ArrayBuffer(24));
    assert.equal(readSync(results, new Uint8Array(report.buffer)), 24);
    const [index, error, kind] = [4, 8, 12].map((at) => report.getInt32(at, true));
    assert.deepEqual([index, error, kind], [1, 2, WIRE.exec.code]);
    closeSync(results);
  });

  it("can be ended by a signal, also as process 1", async () => {
    const { stage, pid, results } = await waiting(sh("echo started"), CLONE.newpid);
    using _ = stage;
    const output = stage.output();
    await stage.end();
    assert.ok(processExists(pid));
    kill(pid, "SIGTERM");
    await until("it is gone", () => isGone(pid));
    assert.equal(await output, "");
    closeSync(results);
  });

  it("without a stage that leaves, the plan is refused", async () => {
    const outcome = await run(plan([wait, sh("true")], { inheritedFds: 2 }), {
      inherit: [file("a", ""), file("b", "")],
    });
    assert.equal(outcome.failed, "none EINVAL");
  });

  it("an empty slot is EBADF, and the stage tells it", async () => {
    const closed = child({ kind: "close", slot: slot(1) });
    const outcome = await run(
      plan([closed, wait, sh("true")], { inheritedFds: 2, supervision: LEAVE }),
      { inherit: [file("a", ""), file("b", "")] },
    );
    assert.equal(outcome.failed, "1 EBADF");
  });
});

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
