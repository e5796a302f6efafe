import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, type CliResult, runProgram } from "../support/cli.ts";
import { busyboxRootUnavailable } from "../support/roots.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../examples");
const MAX_LINES = 70;

/** Each as a reader starts it: the built library, an image "busybox", no other preparation. */
describe("an example", { skip: busyboxRootUnavailable() ?? false }, () => {
  let cli: Cli;
  const ran = new Set<string>();

  before(async () => {
    cli = await Cli.open();
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    assert.deepEqual([...ran].sort(), readdirSync(EXAMPLES).sort(), "each example is run");
  });

  async function example(name: string, ...args: string[]): Promise<CliResult> {
    ran.add(name);
    const result = await runProgram(process.execPath, [join(EXAMPLES, name), ...args], {
      env: cli.env,
    });
    assert.equal(await cli.ok("ps", "--all", "--quiet"), "", `${name} leaves containers`);
    return result;
  }

  /** What an example that ended well, and without a warning, printed. */
  async function printed(name: string): Promise<string> {
    const { status, signal, stdout, stderr } = await example(name);
    assert.deepEqual([status, signal, stderr], [0, null, ""], stdout);
    return stdout;
  }

  for (const name of readdirSync(EXAMPLES)) {
    it(`is short, says how to run it, and imports by name: ${name}`, () => {
      const text = readFileSync(join(EXAMPLES, name), "utf8");
      assert.ok(text.split("\n").length <= MAX_LINES, `more than ${MAX_LINES} lines`);
      assert.match(text, /^\/\*\*\n \* [A-Z]/);
      assert.ok(text.includes(`scripts/node examples/${name}`), "no word about how to run it");
      assert.match(text, /^import .* from "tsrun";$/m);
      assert.doesNotMatch(text, /from "\./);
    });
  }

  it("runs a command and tells how it ended", async () => {
    assert.equal(await printed("hello.ts"), "hello from box, process 1\nit ended with 0\n");
  });

  it("takes both outputs, the status, and a command that does not end", async () => {
    assert.deepEqual((await printed("capture.ts")).trimEnd().split("\n"), [
      "stdout: [ 'apple', 'fig', 'pear' ]",
      "stderr: that was all",
      "status: 3",
      "ABORTED: the container was killed: its AbortSignal fired",
      'COMMAND_NOT_FOUND: cannot execute "no-such-command": no such file or directory (ENOENT)',
    ]);
  });

  it("limits a container and measures it", async () => {
    const controllers = await offeredControllers();
    const lines = (await printed("limits.ts")).trimEnd().split("\n");
    const limits = Object.entries({ memory: "memoryBytes", pids: "pidsLimit", cpu: "cpus" });
    const wanted = limits.filter(([name]) => controllers.includes(name)).map(([, field]) => field);
    assert.equal(lines.shift(), `limits: ${wanted.join(", ") || "none on this host"}`);
    // Each kernel counts cpu time; how much of it an emulated or busy one gives is its own affair.
    assert.match(lines.shift() ?? "", /^cpu: \d+ % of one$/);
    if (controllers.includes("memory")) assert.match(lines.shift() ?? "", /^memory: \d+\.\d MiB$/);
    assert.deepEqual(lines, ["processes: 1", "open files: at most 64"]);
  });

  it("follows a log while commands run in the container", async () => {
    assert.deepEqual((await printed("exec-and-logs.ts")).trimEnd().split("\n"), [
      "stdout: waiting for work",
      "exec as root: status 0",
      "stdout: got: forty-two",
      "stdout: told to stop",
      "the server ended with 0",
    ]);
  });

  it("runs the steps of a job, isolated, and succeeds if all do", async () => {
    const stdout = await printed("ci.ts");
    const count = readdirSync(EXAMPLES).length;
    assert.ok(stdout.includes(`── count: status 0\n   ${count}\n`), stdout);
    assert.match(stdout, /── header: status 0\n/);
    assert.match(stdout, /── sealed: status 0\n/);
    assert.match(stdout, /3 of 3 steps passed\n$/);
  });

  it("fails if a step of the job fails, or takes too long, and still tells of the others", async () => {
    const job = cli.file("job.json");
    const steps = {
      good: "echo fine; cat /src/job.json | head -c 1",
      bad: "echo before; echo complaint >&2; false; echo never",
      slow: "echo begun; sleep 1000",
      killed: "sh -c 'kill -9 $$'; echo never",
    };
    writeFileSync(job, JSON.stringify({ image: "busybox", timeoutSeconds: 8, steps }));
    const { status, stdout, stderr } = await example("ci.ts", job, cli.file(""));
    assert.equal(stderr, "");
    assert.equal(status, 1, stdout);
    assert.ok(stdout.includes("── good: status 0\n   fine\n   {\n"), stdout);
    assert.ok(stdout.includes("── bad: status 1\n   before\n   complaint\n"), stdout);
    assert.ok(stdout.includes("── slow: out of time\n   begun\n"), stdout);
    assert.ok(stdout.includes("── killed: status 137\n"), stdout);
    assert.match(stdout, /1 of 4 steps passed\n$/);
  });

  async function offeredControllers(): Promise<readonly string[]> {
    const info = JSON.parse(await cli.ok("info", "--format", "json")) as {
      Cgroup: { Controllers: string[] };
    };
    return info.Cgroup.Controllers;
  }
});
