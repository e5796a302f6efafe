/** What somebody meets who has just installed tsrun: no root, no image, a terminal or a pipe. */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram, TSRUN } from "../support/cli.ts";
import { Pty } from "../support/pty.ts";
import { busyboxRoot } from "../support/roots.ts";

const NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

let cli: Cli;
before(async () => {
  cli = await Cli.open({ image: false });
});
after(() => cli[Symbol.asyncDispose]());

describe("a newcomer", () => {
  it("is told what there is when nothing is typed", async () => {
    const { status, stdout, stderr } = await cli.run([]);
    assert.deepEqual([status, stderr], [125, ""]);
    assert.match(stdout, /^To begin:\n {2}tsrun /m);
    assert.match(stdout, /See "tsrun help COMMAND"/);
  });

  it("without an image is told how to get one", async () => {
    assert.equal(await cli.ok("image", "ls", "-q"), "");
    const { status, stderr } = await cli.run(["run", "--pull=never", "-it", "debian", "bash"]);
    assert.equal(status, 125);
    assert.match(stderr, /^Error: there is no image "debian"$/m);
    assert.match(stderr, /^Hint: .*tsrun (image import|pull)/m);
  });

  it("without an image can run a directory", async () => {
    const root = await busyboxRoot();
    assert.equal(await cli.ok("run", "--rm", "--rootfs", root, "echo", "hello"), "hello");
  });

  it("finds every command's help, with examples that name the command", async () => {
    const names = [...(await cli.ok("help")).matchAll(/^ {2}([a-z][a-z -]*?) {2,}\S/gm)].flatMap(
      ([, name = ""]) => (name.startsWith("tsrun") ? [] : [name]),
    );
    assert.ok(names.length >= 30, names.join(", "));
    for (const name of names) {
      const text = await cli.ok("help", ...name.split(" "));
      assert.match(text, /^Usage: tsrun /);
      assert.match(text, /^Examples:\n/m, name);
      for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
    }
  });

  it("without root is told so, by every command, never as a bug", async () => {
    await cli.ok("image", "import", "-q", await busyboxRoot(), "busybox");
    await cli.ok("create", "--name", "theirs", "busybox", "true");
    chmodSync(cli.base, 0o755); // the way there is free, the store is not
    const asNobody = (line: string) =>
      runProgram("setpriv", [...NOBODY, TSRUN, ...line.split(" ")], { env: cli.env });
    for (const line of [
      "ps",
      "inspect theirs",
      "image ls",
      "image rm busybox",
      "events --since 1h --stream=false",
      "info",
      "system check",
    ]) {
      const { status, stderr } = await asNobody(line);
      assert.equal(status, 125, line);
      assert.match(stderr, /^Error: cannot .*permission denied\nHint: Run tsrun as root/, line);
    }
    for (const line of ["run busybox true", "create busybox true", "start theirs", "rm theirs"]) {
      const { status, stderr } = await asNobody(line);
      assert.equal(status, 125, line);
      assert.match(stderr, /^Error: "tsrun [a-z]+" needs root\nHint: Use `sudo tsrun /, line);
    }
    const version = await asNobody("version");
    assert.equal(version.status, 0);
    await cli.ok("rm", "theirs");
  });
});

describe("colours", () => {
  /** Says a warning, which is coloured, and an error. */
  const LINE = `${TSRUN} run --pull never -it nosuchimage </dev/null`;
  const shownWith = async (env: Readonly<Record<string, string>>) => {
    const { TSRUN_ROOT = "", TSRUN_RUN_ROOT = "" } = cli.env;
    const own = { TSRUN_ROOT, TSRUN_RUN_ROOT, NO_COLOR: "", ...env };
    await using pty = new Pty("sh", ["-c", LINE], { env: own, cols: 200 });
    await pty.waitFor(/Warning:.*\r\nError: .*\r\nHint: .*\r\n/);
    return pty.output;
  };

  it("are in a terminal", async () => {
    assert.ok((await shownWith({})).includes("\u001b[33mWarning:\u001b[0m"));
  });

  it("are not where NO_COLOR is set, nor in a terminal that has none", async () => {
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
      assert.ok(!(await shownWith(env)).includes("\u001b["), JSON.stringify(env));
    }
  });

  it("are in no pipe", async () => {
    const { stderr } = await cli.shell(LINE, { env: { NO_COLOR: "", TERM: "xterm" } });
    assert.match(stderr, /^Warning: /);
    assert.ok(!stderr.includes("\u001b["));
  });
});
