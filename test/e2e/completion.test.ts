/** Completion in real shells, and the manual page. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram, TSRUN } from "../support/cli.ts";
import { Pty } from "../support/pty.ts";

const CTRL_A = "\u0001";
const CTRL_E = "\u0005";

const DIST = join(import.meta.dirname, "../../dist");

let cli: Cli;
let path: string;
before(async () => {
  cli = await Cli.open();
  await cli.ok("create", "--name", "alpha", "busybox", "true");
  await cli.ok("run", "-d", "--name", "beta", "busybox", "sleep", "1000");
  mkdirSync(cli.file("some-dir"));
  writeFileSync(cli.file("some-file"), "");
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(cli.file(`completion.${shell}`), await cli.ok("completion", shell));
  }
  path = `${join(TSRUN, "..")}:${process.env["PATH"]}`;
});
after(() => cli[Symbol.asyncDispose]());

/** What bash would offer for a line, as it calls the function: words broken at "=" and ":", too. */
async function offered(line: string): Promise<string> {
  const script = `source "$1"
COMP_LINE=$2 COMP_POINT=\${#2}
rest=$2 COMP_WORDS=()
while [[ $rest =~ ^[[:space:]]*([=:]+|[^=:[:space:]]+) ]]; do
  COMP_WORDS+=("\${BASH_REMATCH[1]}"); rest=\${rest#"\${BASH_REMATCH[0]}"}
done
[[ $2 == *[[:space:]] ]] && COMP_WORDS+=('')
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
complete -p tsrun >/dev/null || exit 9
_tsrun tsrun "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}" && echo "\${COMPREPLY[*]}"`;
  const args = ["--norc", "-c", script, "-", cli.file("completion.bash"), line];
  const { stdout, stderr } = await runProgram("bash", args, { env: { ...cli.env, PATH: path } });
  assert.equal(stderr, "", line);
  return stdout.trim();
}

describe("completion in bash", () => {
  for (const [line, words] of [
    ["tsrun imag", "image"],
    ["tsrun image tr", "tree"],
    ["tsrun image i", "import inspect"],
    ["tsrun --log-level ", "error warn info debug"],
    ["tsrun --log-level=d", "debug"],
    ["tsrun --debug star", "start"],
    ["tsrun run --memory-s", "--memory-swap"],
    ["tsrun start ", "beta alpha"],
    ["tsrun stop ", "beta"],
    ["tsrun stop --time 3 b", "beta"],
    ["tsrun rm -f al", "alpha"],
    ["tsrun run ", "busybox:latest"],
    ["tsrun run --rm -e A=1 --name box bu", "busybox:latest"],
    ["tsrun run busybox:la", "latest"],
    ["tsrun run busybox:", "latest"],
    ["tsrun image inspect busybox:latest bu", "busybox:latest"],
    ["tsrun run busybox sh", ""],
    ["tsrun run busybox --memory", ""],
    ["tsrun run busybox:latest ls --me", ""],
    ["tsrun run --network h", "host"],
    ["tsrun run --network=n", "none ns:"],
    ["tsrun run --network container:a", "alpha"],
    ["tsrun run --pid=container:b", "beta"],
    ["tsrun run --name ", ""],
    ["tsrun run --personality linux3", "linux32"],
    ["tsrun kill -s HU", "HUP"],
    ["tsrun kill --signal=QU", "QUIT"],
    ["tsrun exec -it be", "beta"],
    ["tsrun exec beta be", ""],
    ["tsrun completion f", "fish"],
    ["tsrun help imag", "image"],
    ["tsrun rename al", "alpha"],
  ] as const) {
    it(`${line}: ${words === "" ? "files" : words}`, async () => {
      const expected = words.split(" ").sort();
      assert.deepEqual((await offered(line)).split(/\s+/).sort(), expected);
    });
  }

  it("offers every option of a command", async () => {
    const options = (await offered("tsrun run --")).split(/\s+/);
    const help = await cli.ok("run", "--help");
    const inHelp = [...help.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name);
    assert.ok(inHelp.length > 60);
    assert.deepEqual(
      inHelp.filter((name) => !options.includes(name ?? "")),
      [],
    );
  });

  it("lists from the store that the line names", async () => {
    await using other = await Cli.open({ image: false });
    const { TSRUN_ROOT: root, TSRUN_RUN_ROOT: runRoot } = other.env;
    assert.equal(await offered(`tsrun --root ${root} --run-root ${runRoot} start `), "");
    assert.equal(await offered(`tsrun --root=${root} --run-root=${runRoot} start `), "");
  });

  it("completes in a terminal: words, names with a colon, directories, files", async () => {
    const env = { ...cli.env, PATH: path, PS1: "PROMPT ", INPUTRC: "/dev/null", HISTFILE: "" };
    await using pty = new Pty("bash", ["--norc", "--noprofile", "-i"], { env, cols: 200 });
    await pty.waitFor(/PROMPT /);
    pty.type(`cd ${cli.file("")}; source completion.bash\r`);
    await pty.waitFor(/PROMPT /);
    for (const [typed, completed] of [
      ["tsrun inf\t", "tsrun info"],
      ["tsrun run --memory-s\t", "tsrun run --memory-swap"],
      ["tsrun image rm busybox:l\t", "tsrun image rm busybox:latest"],
      ["tsrun run --rootfs some-d\t", "tsrun run --rootfs some-dir/"],
      ["tsrun run --env-file=some-f\t", "tsrun run --env-file=some-file"],
      ["tsrun run --pid=container:be\t", "tsrun run --pid=container:beta"],
      ["tsrun exec beta some-f\t", "tsrun exec beta some-file"],
    ] as const) {
      await completes(pty, typed, completed);
    }
  });
});

/** Lets the shell print what it has made of the line. */
async function completes(pty: Pty, typed: string, completed: string): Promise<void> {
  pty.type(`${typed}${CTRL_A}echo GOT ${CTRL_E}END\r`);
  const [, line] = await pty.waitFor(/[\r\n]GOT (.*?) *END\r/);
  assert.equal(line, completed);
  await pty.waitFor(/PROMPT /);
}

describe("completion in fish", () => {
  it("offers commands, options, containers and images", async (t) => {
    if (!existsSync("/usr/bin/fish")) return t.skip("fish is not installed");
    const complete = async (line: string) => {
      const script = `source ${cli.file("completion.fish")}; complete -C '${line}'`;
      const env = { ...cli.env, PATH: path, HOME: cli.file("") };
      const { stdout, stderr } = await runProgram("fish", ["--no-config", "-c", script], { env });
      assert.equal(stderr, "");
      return stdout.split("\n").map((row) => row.split("\t")[0] ?? "");
    };
    assert.ok((await complete("tsrun sta")).includes("stats"));
    assert.deepEqual((await complete("tsrun image tr")).slice(0, 1), ["tree"]);
    assert.ok((await complete("tsrun --root /x run --memory-s")).includes("--memory-swap"));
    assert.ok(
      (await complete("tsrun run -e A=1 --rm --name x --memory-s")).includes("--memory-swap"),
    );
    assert.ok(
      (await complete(`tsrun run busybox ${cli.file("some-f")}`)).includes(cli.file("some-file")),
    );
    assert.deepEqual((await complete("tsrun run --memory-s")).slice(0, 1), ["--memory-swap"]);
    assert.deepEqual((await complete("tsrun stop ")).slice(0, 1), ["beta"]);
    assert.ok((await complete("tsrun run --rm bu")).includes("busybox:latest"));
    assert.ok((await complete("tsrun kill -s HU")).includes("HUP"));
    assert.ok(!(await complete("tsrun run busybox --mem")).includes("--memory"));
  });
});

describe("completion in zsh", () => {
  it("completes in a terminal", async (t) => {
    if (!existsSync("/usr/bin/zsh")) return t.skip("zsh is not installed");
    const env = { ...cli.env, PATH: path, PS1: "PROMPT ", HOME: cli.file("") };
    await using pty = new Pty("zsh", ["-f", "-i"], { env, cols: 200 });
    await pty.waitFor(/PROMPT /);
    pty.type(
      // Where $EDITOR is vi, zsh's keys would be, too.
      `bindkey -e; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -d ${cli.file("dump")}; ` +
        `source ${cli.file("completion.zsh")}; cd ${cli.file("")}; echo set up\r`,
    );
    await pty.waitFor(/\nset up\r/);
    await pty.waitFor(/PROMPT /);
    for (const [typed, completed] of [
      ["tsrun renam\t", "tsrun rename"],
      ["tsrun image impo\t", "tsrun image import"],
      ["tsrun run --memory-s\t", "tsrun run --memory-swap"],
      ["tsrun stop be\t", "tsrun stop beta"],
      ["tsrun run --rm busy\t", "tsrun run --rm busybox:latest"],
      ["tsrun run --network ho\t", "tsrun run --network host"],
      ["tsrun kill -s QU\t", "tsrun kill -s QUIT"],
      ["tsrun image inspect busy\t", "tsrun image inspect busybox:latest"],
      ["tsrun run --rootfs some-d\t", "tsrun run --rootfs some-dir"],
      ["tsrun completion zs\t", "tsrun completion zsh"],
    ] as const) {
      await completes(pty, typed, completed);
    }
  });
});

describe("the manual page", () => {
  it("is formatted without a warning and tells of every command and exit status", async (t) => {
    const page = join(DIST, "man/tsrun.1");
    const checked = await runProgram("groff", ["-man", "-ww", "-z", "-Tutf8", page]).catch(
      () => {},
    );
    if (!checked) return t.skip("groff is not installed");
    assert.deepEqual([checked.status, checked.stderr], [0, ""]);
    const shown = await runProgram("man", ["--warnings", "-l", page], { env: { MANWIDTH: "100" } });
    assert.deepEqual([shown.status, shown.stderr], [0, ""]);
    const { stdout: text } = await runProgram("groff", ["-man", "-Tascii", "-P-cbou", page]);
    for (const [, name] of (await cli.ok("help")).matchAll(/^ {2}(\w[\w ]*?) {2,}/gm)) {
      assert.match(text, new RegExp(`tsrun ${name}\\b`), name);
    }
    for (const part of ["EXIT STATUS", "ENVIRONMENT", "FILES", "--memory-swap SIZE", "125"]) {
      assert.ok(text.includes(part), part);
    }
    assert.ok(readFileSync(page, "utf8").startsWith(".TH TSRUN 1"));
  });
});
