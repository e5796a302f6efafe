/** What is built again and what is not, the same bytes, failures, and what a kill leaves. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { build, built, inspect, makeContext } from "../../support/build-context.ts";
import { Cli, TSRUN } from "../../support/cli.ts";

/** A line of system df. */
interface Usage {
  readonly Type: string;
  readonly Total: number;
  readonly Active: number;
  readonly Size: string;
  readonly RawSize: number;
  readonly RawReclaimable: number;
}

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** The steps that were done, without FROM, and those that came from the cache, as texts. */
function steps(stderr: string): { readonly done: readonly string[]; readonly cached: number } {
  const lines = stderr.split("\n");
  const texts = lines.flatMap((line, at) => {
    const text = /STEP \d+\/\d+: (.*)/.exec(line)?.[1];
    const isCached = lines[at + 1]?.endsWith("--> Using cache");
    return text === undefined || text.startsWith("FROM") || isCached ? [] : [text];
  });
  return { done: texts, cached: lines.filter((line) => line.endsWith("Using cache")).length };
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isTrue()) {
    assert.ok(Date.now() < deadline, "it does not come to that");
    await sleep(20);
  }
}

describe("the cache", () => {
  it("knows steps by what they do and use, not by when", async () => {
    const text = "FROM busybox\nARG V=1\nCOPY a /a\nRUN echo $V > /v\nENV E=1\nCOPY b /b\n";
    const context = makeContext(cli, text, { a: "a", b: "b" });
    const run = async (...args: string[]) => {
      const { status, stdout, stderr } = await cli.run(["build", ...args, context]);
      assert.equal(status, 0, stderr);
      return { id: stdout.trim(), ...steps(stderr) };
    };
    const first = await run();
    assert.equal(first.cached, 0);
    const events = ["events", "--stream=false", "--filter", "event=build", "--format", "{{.ID}}"];
    assert.equal(await cli.ok(...events), first.id);
    utimesSync(join(context, "a"), 5, 5);
    const second = await run();
    assert.deepEqual(second, { id: first.id, done: [], cached: 5 });
    writeFileSync(join(context, "b"), "other");
    assert.deepEqual((await run()).done, ["COPY b /b"]);
    const argument = await run("--build-arg", "V=2");
    assert.deepEqual(argument.done, ["RUN echo $V > /v", "ENV E=1", "COPY b /b"]);
    const anew = await run("--no-cache");
    assert.equal(anew.cached, 0);
    await cli.ok("image", "prune", "-f");
    assert.equal((await run()).cached, 5);
    await cli.ok("image", "prune", "-f", "--build-cache");
    assert.equal((await run()).cached, 0);
  });

  it("is shown by system df, and freed by image prune --build-cache", async () => {
    const usage = async () => {
      const rows = JSON.parse(await cli.ok("system", "df", "--format", "json")) as Usage[];
      return rows.find(({ Type }) => Type === "Build Cache");
    };
    await cli.ok("image", "prune", "-f", "--build-cache");
    assert.deepEqual(await usage(), {
      ...{ Type: "Build Cache", Total: 0, Active: 0, Size: "0 B", RawSize: 0 },
      ...{ Reclaimable: "0 B", RawReclaimable: 0 },
    });
    const fill = (name: string) => `head -c 1000000 /dev/urandom >${name}`;
    const text = `FROM busybox\nRUN ${fill("/a")}\nRUN --mount=type=cache,target=/c ${fill("/c/b")}\n`;
    await cli.ok("build", "-t", "cached", makeContext(cli, text, {}));
    const active = await usage();
    assert.deepEqual([active?.Total, active?.Active], [3, 2]);
    const mount = active?.RawSize ?? 0; // the image's row has the layers
    assert.ok(mount >= 1_000_000 && mount < 1_100_000, `${mount}`);
    await cli.ok("rmi", "cached");
    const alone = await usage();
    assert.deepEqual([alone?.Total, alone?.Active], [3, 0]);
    const size = alone?.RawSize ?? 0; // with the layer, unpacked and packed
    assert.ok(size >= 3_000_000, `${size}`);
    assert.equal(alone?.RawReclaimable, size);
    const { stderr } = await cli.run(["image", "prune", "-f", "--build-cache"]);
    assert.equal(stderr.trim(), `Freed ${alone?.Size}`);
    assert.equal((await usage())?.Total, 0);
    assert.match(await cli.ok("system", "df"), /^Build Cache +0 +0 +0 B +0 B$/m);
  });

  it("has layers that are what their blobs are, with one time or with the files' own", async () => {
    const text = "FROM busybox\nCOPY a b /\nCOPY --chown=5:6 a /etc/new/\nWORKDIR /w/x\n";
    const context = makeContext(cli, text, { a: "a", b: "bb" });
    for (const args of [[], ["--timestamp", "1700000000"]]) {
      await cli.ok("build", "--no-cache", "-t", "copied", ...args, context);
      assert.equal(await cli.ok("system", "check", "--images"), "Nothing is left behind.");
    }
    const paths = ["/a", "/b", "/etc/new/a", "/etc/new", "/w/x", "/w", "/"];
    const command = ["run", "--rm", "copied", "stat", "-c", "%Y %u %g", ...paths];
    const lines = (await cli.ok(...command)).split("\n");
    const ours = "1700000000 0 0";
    assert.deepEqual(lines.slice(0, 3), [ours, ours, "1700000000 5 6"]);
    assert.deepEqual(lines.slice(4), [ours, ours, ours]);
  });

  it("gives the same bytes with a timestamp", async () => {
    const text = `
FROM busybox AS one
RUN date +%N > /dev/null; mkdir -p /d/e; echo x > /d/e/f; ln /d/e/f /d/g; ln -s f /d/e/s
RUN rm -r /d/e && mkdir /d/e
FROM busybox
COPY --from=one /d /d
COPY file /
RUN touch /t && rm -r /tmp
`;
    const args = ["--timestamp", "1700000000", "--no-cache", "-q"];
    const [one, two] = [
      makeContext(cli, text, { file: "x" }),
      makeContext(cli, text, { file: "x" }),
    ];
    utimesSync(join(two, "file"), 77, 77);
    const first = await inspect(cli, await cli.ok("build", ...args, one));
    const second = await inspect(cli, await cli.ok("build", ...args, two));
    assert.deepEqual(second, first);
    assert.match(first.Created, /^2023-11-14T22:13:20/);
    const id = await cli.ok("build", ...args, one);
    const times = await cli.ok("run", "--rm", id, "stat", "-c", "%Y", "/t", "/file", "/d/g");
    assert.equal(times, "1700000000\n1700000000\n1700000000");
  });

  it("builds stages that do not need each other at the same time", async () => {
    const stage = (own: string, other: string) => `FROM busybox AS ${own}
RUN --mount=type=cache,target=/c touch /c/${own}; until [ -e /c/${other} ]; do sleep 0.05; done
`;
    const text = `${stage("one", "two")}${stage("two", "one")}FROM scratch
COPY --from=one /bin/sh /one\nCOPY --from=two /bin/sh /two\n`;
    const { status, stderr } = await build(cli, text, {}, ["--jobs", "2"]);
    assert.equal(status, 0, stderr);
  });
});

describe("a build that fails", () => {
  it("says which line, ends with the command's status, and leaves the cache alone", async () => {
    const text =
      "FROM busybox\n\nRUN echo one > /one\n# c\nRUN echo out; echo err >&2; \\\n  exit 7\n";
    const { status, stdout, stderr } = await build(cli, text, {}, ["-t", "never"]);
    assert.equal(status, 7);
    assert.equal(stdout, "");
    assert.match(stderr, /^out$/m);
    assert.match(stderr, /^err$/m);
    assert.match(stderr, /^Error: Containerfile:5: "RUN echo out.*" failed: exit status 7$/m);
    const quiet = await build(cli, text, {}, ["-q"]);
    assert.match(
      quiet.stderr,
      /^out\nerr\nError: Containerfile:5|^err\nout\nError: Containerfile:5/,
    );
    assert.equal(await cli.ok("ps", "-a", "-q"), "");
    assert.doesNotMatch(await cli.ok("images"), /never|<none>/);
    const root = String(cli.env["TSRUN_ROOT"]);
    assert.deepEqual(readdirSync(join(root, "images/tmp")), []);
    assert.equal(existsSync(join(String(cli.env["TSRUN_RUN_ROOT"]), "build")), false);
    // What went well before it is not done again.
    const again = await build(cli, text.replace("exit 7", "exit 0"));
    assert.deepEqual([again.status, steps(again.stderr).cached], [0, 1]);
  });

  it("ends what other stages are doing", async () => {
    const text = `FROM busybox AS one
RUN --mount=type=cache,target=/c until [ -e /c/begun ]; do sleep 0.05; done; exit 9
FROM busybox AS two
RUN --mount=type=cache,target=/c touch /c/begun; sleep 1000
FROM scratch\nCOPY --from=one / /one\nCOPY --from=two / /two\n`;
    const { status, stderr } = await build(cli, text, {}, ["--jobs", "2"]);
    assert.equal(status, 9);
    assert.match(stderr, /Containerfile:2: .*exit status 9/);
    assert.equal(await cli.ok("ps", "-a", "-q"), "");
  });

  const wrong: readonly (readonly [
    containerfile: string,
    args: readonly string[],
    said: RegExp,
  ])[] = [
    ["FROM busybox\nCOPY nothing /x", [], /Containerfile:2: there is no "nothing" in the context/],
    ["FROM nowhere.invalid/x", ["--pull", "never"], /Containerfile:1: .*nowhere\.invalid/],
    ["FROM busybox\nRUN\n", [], /Containerfile:2: RUN has no arguments/],
    ["FROM busybox\nCOPY a b /x", [], /Containerfile:2: "\/x" is no directory, and there are 2/],
    ["FROM busybox\nCOPY --chown=nobody-here a /x", [], /Containerfile:2: .*nobody-here/],
    ["FROM busybox\nRUN /no/such/program\nRUN x", [], /Containerfile:2: .*exit status 127/],
    ['FROM busybox\nRUN ["/no/such"]', [], /Containerfile:2: .*\/no\/such/],
    ["FROM busybox", ["--platform", "linux/s390x"], /cannot build for linux\/s390x/],
    ["FROM busybox", ["--target", "x"], /there is no stage "x"/],
    ["FROM busybox\nADD https://x.invalid/y.git /y", [], /git repository/],
  ];
  for (const [containerfile, args, said] of wrong) {
    it(`says what is wrong with ${JSON.stringify(containerfile)} ${args.join(" ")}`, async () => {
      const { status, stderr } = await build(cli, containerfile, { a: "a", b: "b" }, args);
      assert.notEqual(status, 0);
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /mistake of its own/);
    });
  }

  it("that is killed is cleared away by the next one", async () => {
    const secret = cli.file("secret");
    writeFileSync(secret, "s");
    const text = `FROM busybox
RUN --mount=type=secret,id=s --mount=type=cache,target=/c,id=killed echo x > /c/started; sleep 1000`;
    const context = makeContext(cli, text);
    const child = spawn(TSRUN, ["build", "--secret", `id=s,src=${secret}`, context], {
      env: { ...process.env, ...cli.env },
      stdio: ["ignore", "ignore", "ignore"],
    });
    const root = String(cli.env["TSRUN_ROOT"]);
    const runs = join(String(cli.env["TSRUN_RUN_ROOT"]), "build");
    const mounts = join(root, "build-mounts");
    await until(() => {
      if (!existsSync(mounts)) return false;
      return readdirSync(mounts).some((name) => existsSync(join(mounts, name, "started")));
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
    assert.equal(readdirSync(runs).length, 1);
    await built(cli, "FROM busybox\nENV A=1");
    assert.equal(await cli.ok("ps", "-a", "-q"), "");
    assert.equal(existsSync(runs), false);
    assert.deepEqual(readdirSync(join(root, "images/tmp")), []);
  });

  it("is ended by a signal, with nothing left", async () => {
    const context = makeContext(cli, "FROM busybox\nRUN echo begun; sleep 1000");
    const child = spawn(TSRUN, ["build", context], {
      env: { ...process.env, ...cli.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    await until(() => /^begun$/m.test(said));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    assert.equal(await ended, 143);
    assert.equal(await cli.ok("ps", "-a", "-q"), "");
  });
});

describe("buildImage of the library", () => {
  it("builds, tells what is done, and says what failed", async () => {
    const context = makeContext(cli, "FROM busybox\nRUN echo hello; exit $S\n", {});
    const program = `
import { buildImage, BuildFailure } from ${JSON.stringify(join(TSRUN, "../../dist/index.js"))};
const said = [];
const onProgress = (p) => { if (p.kind === "output") said.push(Buffer.from(p.chunk).toString()); };
const common = { context: ${JSON.stringify(context)}, root: process.env.TSRUN_ROOT,
  runRoot: process.env.TSRUN_RUN_ROOT, onProgress, noCache: true };
const { names } = await buildImage({ ...common, tags: ["library"] });
const failed = await buildImage({ ...common, text: "FROM busybox\\nRUN exit 3" }).catch((e) => e);
console.log(JSON.stringify([names, said, failed instanceof BuildFailure, failed.status, failed.code]));
`;
    const file = cli.file("program.mjs");
    writeFileSync(file, program);
    const node = JSON.stringify(process.execPath);
    const { stdout, stderr } = await cli.shell(`${node} ${file}`);
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), [
      ...[["library:latest"], ["hello\n"], true, 3, "BUILD_FAILED"],
    ]);
  });
});
