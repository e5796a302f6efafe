/** Every command besides run, as typed, on real containers. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cli } from "../support/cli.ts";

let cli: Cli;
before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

const TICKING = "while :; do echo tick; sleep 0.2; done";

/** A container that runs until it is removed. */
async function running(name: string, script = "trap 'exit 7' TERM; while :; do sleep 0.1; done") {
  await cli.ok("run", "-d", "--name", name, "busybox", "sh", "-c", script);
  return name;
}

const state = (name: string) => cli.ok("inspect", "-f", "{{.State.Status}}", name);

describe("create, start, wait", () => {
  it("make a container that runs when told, again and again", async () => {
    const id = await cli.ok("create", "--name", "job", "busybox", "sh", "-c", "echo ran; exit 4");
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(await state("job"), "created");
    assert.equal(await cli.ok("start", "job"), "job");
    assert.equal(await cli.ok("wait", "job", id.slice(0, 8)), "4\n4");
    assert.equal(await state("job"), "exited");
    await cli.ok("start", id);
    await cli.ok("wait", "job");
    assert.equal(await cli.ok("logs", "job"), "ran\nran");
    await cli.ok("rm", "job");
  });

  it("start -a shows the output and ends with the status", async () => {
    await cli.ok("create", "--name", "att", "busybox", "sh", "-c", "echo o; echo e >&2; exit 5");
    const { status, stdout, stderr } = await cli.run(["start", "-a", "att"]);
    assert.deepEqual([status, stdout, stderr], [5, "o\n", "e\n"]);
    await cli.ok("rm", "att");
  });

  it("start -ai passes stdin on", async () => {
    await cli.ok("create", "-i", "--name", "cat", "busybox", "cat");
    const { stdout } = await cli.run(["start", "-ai", "cat"], { input: "typed" });
    assert.equal(stdout, "typed");
    await cli.ok("rm", "cat");
  });

  it("wait --condition and several names", async () => {
    await running("w1", "sleep 0.3; exit 1");
    await running("w2", "exit 2");
    assert.equal(await cli.ok("wait", "--condition", "stopped", "w1", "w2"), "1\n2");
    assert.equal(await cli.ok("wait", "--ignore", "nobody"), "-1");
    await cli.ok("rm", "w1", "w2");
  });
});

describe("stop, kill, pause, resume, restart", () => {
  it("stop asks first, and its answer is kept", async () => {
    await running("polite");
    assert.equal(await cli.ok("stop", "polite"), "polite");
    assert.equal(await cli.ok("inspect", "-f", "{{.State.ExitCode}}", "polite"), "7");
    assert.equal(await cli.ok("stop", "polite"), "polite", "an ended one is fine");
    await cli.ok("rm", "polite");
  });

  it("stop kills what does not listen, when its time is over", async () => {
    await running("stubborn", "trap '' TERM; while :; do sleep 0.1; done");
    const started = performance.now();
    await cli.ok("stop", "-t", "1", "stubborn");
    assert.ok(performance.now() - started > 1000);
    assert.equal(await cli.ok("inspect", "-f", "{{.State.ExitCode}}", "stubborn"), "137");
    await cli.ok("rm", "stubborn");
  });

  it("stop --all stops all, at once", async () => {
    const names = ["s1", "s2", "s3"];
    const met = cli.file("met");
    mkdirSync(met);
    // Each ends only when all have been told to: one after the other they would be killed.
    const all = names.map((name) => `[ -e /met/${name} ]`).join(" && ");
    for (const name of names) {
      const told = `touch /met/${name}; until ${all}; do sleep 0.05; done; exit 3`;
      const script = `trap '${told}' TERM; echo ready; while :; do sleep 0.05; done`;
      await cli.ok("run", "-d", "--name", name, "-v", `${met}:/met`, "busybox", "sh", "-c", script);
      while ((await cli.ok("logs", name)) !== "ready");
    }
    const stopped = await cli.ok("stop", "-a", "-t", "60");
    assert.deepEqual(stopped.split("\n").sort(), names);
    assert.equal(await cli.ok("wait", ...names), "3\n3\n3");
    await cli.ok("rm", ...names);
  });

  it("kill sends any signal", async () => {
    await running("killed", "trap 'echo usr1' USR1; while :; do sleep 0.1; done");
    await sleep(200);
    await cli.ok("kill", "-s", "USR1", "killed");
    for (let tries = 0; (await cli.ok("logs", "killed")) !== "usr1"; tries++) {
      assert.ok(tries < 100);
      await sleep(50);
    }
    await cli.ok("kill", "killed");
    assert.equal(await cli.ok("wait", "killed"), "137");
    await cli.ok("rm", "killed");
  });

  it("pause freezes, resume and unpause thaw", async () => {
    await running("frozen", TICKING);
    await cli.ok("pause", "frozen");
    assert.equal(await state("frozen"), "paused");
    assert.match(
      await cli.ok("ps", "--format", "{{.Status}}", "--filter", "name=frozen"),
      /^Paused/,
    );
    const before = await cli.ok("logs", "frozen");
    await sleep(600);
    assert.equal(await cli.ok("logs", "frozen"), before);
    await cli.ok("resume", "frozen");
    assert.equal(await state("frozen"), "running");
    await cli.ok("pause", "--all");
    await cli.ok("unpause", "--all");
    await cli.ok("rm", "-f", "frozen");
  });

  it("restart gives it another process", async () => {
    await running("again");
    const pid = () => cli.ok("inspect", "-f", "{{.State.Pid}}", "again");
    const first = await pid();
    await cli.ok("restart", "-t", "0", "again");
    assert.equal(await state("again"), "running");
    assert.notEqual(await pid(), first);
    await cli.ok("rm", "-f", "again");
  });
});

describe("exec", () => {
  before(() => running("host"));
  after(() => cli.ok("rm", "-f", "host"));

  it("runs beside the first process and ends with its own status", async () => {
    assert.equal(
      await cli.ok("exec", "host", "hostname"),
      await cli.ok("exec", "host", "cat", "/etc/hostname"),
    );
    const result = await cli.run(["exec", "host", "sh", "-c", "echo o; echo e >&2; exit 9"]);
    assert.deepEqual([result.status, result.stdout, result.stderr], [9, "o\n", "e\n"]);
    assert.equal((await cli.run(["exec", "host", "sh", "-c", "kill -9 $$"])).status, 137);
    assert.equal((await cli.run(["exec", "host", "frobnicate"])).status, 127);
    assert.equal((await cli.run(["exec", "host", "/etc"])).status, 126);
  });

  it("has a user, a directory, variables and stdin of its own", async () => {
    const out = await cli.ok(
      ...["exec", "-u", "5:6", "-w", "/tmp", "-e", "X=1", "host"],
      ...["sh", "-c", "id -u; id -g; pwd; echo $X"],
    );
    assert.equal(out, "5\n6\n/tmp\n1");
    assert.equal(await cli.okWith({ input: "in" }, "exec", "-i", "host", "cat"), "in");
    assert.equal(await cli.okWith({ input: "in" }, "exec", "host", "cat"), "");
  });

  it("-d goes on by itself", async () => {
    assert.equal(await cli.ok("exec", "-d", "host", "sh", "-c", "sleep 0.2; touch /done"), "");
    for (
      let tries = 0;
      (await cli.run(["exec", "host", "test", "-e", "/done"])).status !== 0;
      tries++
    ) {
      assert.ok(tries < 100);
    }
  });

  it("--privileged has all capabilities", async () => {
    const effective = async (...options: string[]) =>
      BigInt(
        `0x${await cli.ok("exec", ...options, "host", "sh", "-c", "grep CapEff /proc/self/status | cut -f2")}`,
      );
    assert.ok((await effective("--privileged")) > (await effective()));
    const sysTime = 1n << 25n;
    assert.equal((await effective("--cap-add", "SYS_TIME")) & sysTime, sysTime);
  });
});

describe("logs", () => {
  it("keep streams apart, and take tail, since, until and timestamps", async () => {
    await cli.ok(
      "run",
      "--name",
      "log",
      "busybox",
      "sh",
      "-c",
      "echo 1; echo 2 >&2; echo 3; printf 4",
    );
    const all = await cli.run(["logs", "log"]);
    assert.deepEqual([all.stdout, all.stderr], ["1\n3\n4", "2\n"]);
    assert.equal((await cli.run(["logs", "--tail", "1", "log"])).stdout, "4");
    assert.equal((await cli.run(["logs", "-n", "0", "log"])).stdout, "");
    const stamped = (await cli.run(["logs", "-t", "log"])).stdout;
    assert.match(stamped, /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) 1\n/);
    assert.equal((await cli.run(["logs", "--since", "1h", "log"])).stdout, "1\n3\n4");
    assert.equal((await cli.run(["logs", "--until", "1h", "log"])).stdout, "");
    assert.equal((await cli.run(["logs", "--since", "0s", "log"])).stdout, "");
    await cli.ok("rm", "log");
  });

  it("-f follows until the end", async () => {
    await running("follow", "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done");
    assert.equal(await cli.ok("logs", "-f", "follow"), "1\n2\n3\n4\n5");
    await cli.ok("rm", "follow");
  });
});

describe("ps", () => {
  before(async () => {
    await running("alpha");
    await cli.ok(
      "create",
      "--name",
      "beta",
      "--label",
      "app=web",
      "busybox",
      "sleep",
      "123456789012345678",
    );
  });
  after(() => cli.ok("rm", "-f", "alpha", "beta"));

  it("lists what runs, or all", async () => {
    assert.equal(await cli.ok("ps", "--format", "{{.Names}}"), "alpha");
    assert.equal(await cli.ok("ps", "-a", "--format", "{{.Names}}"), "beta\nalpha");
    assert.equal(await cli.ok("ps", "-n", "1", "--format", "{{.Names}}"), "beta");
    const [headings = "", ...rows] = (await cli.ok("ps", "-a")).split("\n");
    assert.match(headings, /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
    assert.match(
      rows[0] ?? "",
      /^[0-9a-f]{12} +busybox:latest +sleep 12345678901\.\.\. +.*Created +beta$/,
    );
    assert.match(rows[1] ?? "", /^[0-9a-f]{12} .*Up .* alpha$/);
  });

  it("-q and --no-trunc show ids", async () => {
    const short = await cli.ok("ps", "-q");
    assert.match(short, /^[0-9a-f]{12}$/);
    const long = await cli.ok("ps", "-q", "--no-trunc");
    assert.match(long, /^[0-9a-f]{64}$/);
    assert.ok(long.startsWith(short));
  });

  it("filters", async () => {
    const filtered = (...filters: string[]) =>
      cli.ok("ps", "-a", "--format", "{{.Names}}", ...filters.flatMap((f) => ["-f", f]));
    assert.equal(await filtered("name=alp"), "alpha");
    assert.equal(await filtered("status=created"), "beta");
    assert.equal(await filtered("label=app"), "beta");
    assert.equal(await filtered("label=app=web", "status=running"), "");
    assert.equal(await filtered("name=alpha", "name=beta"), "beta\nalpha");
    assert.equal(await filtered("ancestor=busybox:latest"), "beta\nalpha");
  });

  it("prints JSON with whole values", async () => {
    const rows = JSON.parse(await cli.ok("ps", "-a", "--format", "json"));
    assert.equal(rows[0].Command, "sleep 123456789012345678");
    assert.equal(rows[0].ID.length, 64);
    assert.deepEqual(rows[0].Labels, { app: "web" });
  });
});

describe("top, stats, inspect", () => {
  before(() => running("seen"));
  after(() => cli.ok("rm", "-f", "seen"));

  it("top shows the container's own pids", async () => {
    const [headings = "", first = ""] = (await cli.ok("top", "seen")).split("\n");
    assert.match(headings, /^USER +PID +PPID +%CPU +ELAPSED +TTY +TIME +COMMAND$/);
    assert.match(first, /^root +1 +0 .* sh -c trap/);
    const columns = await cli.ok("top", "seen", "pid", "hpid", "user");
    const [, row = ""] = columns.split("\n");
    assert.equal(row.split(/ +/)[1], await cli.ok("inspect", "-f", "{{.State.Pid}}", "seen"));
  });

  it("stats tells what it uses, once or as JSON", async () => {
    const [headings = "", row = ""] = (await cli.ok("stats", "--no-stream", "seen")).split("\n");
    assert.match(headings, /^ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +BLOCK IO +PIDS/);
    assert.match(row, /^[0-9a-f]{12} +seen +(\d|--)/);
    const [json] = JSON.parse(await cli.ok("stats", "--no-stream", "--format", "json", "seen"));
    assert.equal(json.Name, "seen");
    assert.equal(json.Status, "running");
  });

  it("stats goes on until it is told to stop", async () => {
    const stop = new AbortController();
    const reading = cli.run(["stats", "-i", "0.2", "--format", "{{.Name}}", "seen"], {
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 2000);
    await assert.rejects(reading, { name: "AbortError" });
  });

  it("inspect is a JSON array, or a template's line for each", async () => {
    const [view, image] = JSON.parse(await cli.ok("inspect", "seen", "busybox"));
    assert.equal(view.Name, "seen");
    assert.equal(view.State.Running, true);
    assert.equal(view.Config.Cmd[0], "sh");
    assert.equal(view.HostConfig.NetworkMode, "none");
    assert.deepEqual(image.RepoTags, ["busybox:latest"]);
    assert.equal(await cli.ok("inspect", "-f", "{{json .State.Paused}}", "seen"), "false");
  });
});

describe("rename, update, rm", () => {
  it("rename keeps the id and refuses a taken name", async () => {
    const id = await cli.ok("create", "--name", "old", "busybox", "true");
    await cli.ok("rename", "old", "new");
    assert.equal(await cli.ok("inspect", "-f", "{{.Id}}", "new"), id);
    await cli.ok("create", "--name", "taken", "busybox", "true");
    const refused = await cli.run(["rename", "new", "taken"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /"taken"/);
    await cli.ok("rm", "new", "taken");
  });

  it("update keeps limits for the next start", async () => {
    await cli.ok("create", "--name", "limited", "busybox", "true");
    assert.equal(await cli.ok("update", "--cpu-weight", "50", "limited"), "limited");
    assert.equal(await cli.ok("inspect", "-f", "{{.HostConfig.CpuWeight}}", "limited"), "50");
    await cli.ok("rm", "limited");
  });

  it("rm refuses what runs, -f kills it, -a takes all", async () => {
    await running("busy");
    assert.equal((await cli.run(["rm", "busy"])).status, 125);
    assert.equal(await cli.ok("rm", "-f", "busy"), "busy");
    assert.equal((await cli.run(["rm", "busy"])).status, 125);
    assert.equal((await cli.run(["rm", "-f", "busy"])).status, 0);
    assert.equal((await cli.run(["rm", "--ignore", "busy"])).status, 0);
    await running("one");
    await cli.ok("create", "--name", "two", "busybox", "true");
    assert.equal((await cli.ok("rm", "-f", "-a")).split("\n").length, 2);
    assert.equal(await cli.ok("ps", "-aq"), "");
  });

  it("several at once: what can be removed is, and the rest is told", async () => {
    await cli.ok("create", "--name", "there", "busybox", "true");
    const { status, stdout, stderr } = await cli.run(["rm", "nobody", "there", "nowhere"]);
    assert.equal(status, 125);
    assert.equal(stdout, "there\n");
    assert.match(stderr, /"nobody"[\s\S]*"nowhere"/);
  });
});

describe("events", () => {
  it("are JSON lines, filtered and formatted", async () => {
    const id = await cli.ok("run", "-d", "--name", "eventful", "busybox", "sh", "-c", "exit 3");
    await cli.ok("wait", id);
    await cli.ok("rm", "eventful");
    const past = ["events", "--since", "1h", "--stream=false", "--filter", "container=eventful"];
    const events = (await cli.ok(...past)).split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ status }) => status),
      ["create", "start", "died", "remove"],
    );
    assert.equal(events[2].exitCode, 3);
    const died = await cli.ok(
      ...past,
      "--filter",
      "event=died",
      "--format",
      "{{.Name}} {{.ContainerExitCode}}",
    );
    assert.equal(died, "eventful 3");
  });

  it("come as they happen", async () => {
    const stop = new AbortController();
    const until = new Date(Date.now() + 4000).toISOString();
    const watching = cli.run(["events", "--filter", "event=create", "--until", until]);
    await sleep(1000);
    await cli.ok("create", "--name", "watched", "busybox", "true");
    const { stdout } = await watching;
    stop.abort();
    assert.equal(JSON.parse(stdout).name, "watched");
    await cli.ok("rm", "watched");
  });
});

describe("plan", () => {
  it("prints the kernel's requests with their origin and makes nothing", async () => {
    const text = await cli.ok(
      "plan",
      "--hostname",
      "box",
      "-v",
      "/srv:/mnt:ro",
      "busybox",
      "echo",
      "a b",
    );
    assert.match(text, /^child +sethostname +box +\(hostname\)$/m);
    assert.match(text, /^host +clone3 +CLONE_NEWNS\|/m);
    assert.match(text, /^child +move_mount +\/srv → ROOT\/mnt +\(mounts\[\d+\]\)$/m);
    assert.match(text, /^child +execve +.*echo "a b" .*\(process\.args\)$/m);
    const plan = JSON.parse(await cli.ok("plan", "--format", "json", "busybox", "true"));
    assert.ok(plan.ops.length > 50);
    assert.deepEqual(Object.keys(plan).sort(), [
      "cgroupSlot",
      "cloneFlags",
      "inheritedFds",
      "ops",
      "supervision",
    ]);
    for (const { op, phase, origin } of plan.ops) {
      assert.ok(op.kind && ["host", "child", "teardown"].includes(phase) && origin, op.kind);
    }
    assert.deepEqual(JSON.parse(await cli.ok("plan", "--format", "json", "busybox", "true")), plan);
    assert.equal(await cli.ok("ps", "-aq"), "");
  });
});

describe("images", () => {
  it("are imported, listed, tagged, inspected and removed", async () => {
    mkdirSync(cli.file("tree/etc"), { recursive: true });
    writeFileSync(cli.file("tree/etc/motd"), "hello");
    await cli.shell(`tar cf ${cli.file("tree.tar")} -C ${cli.file("tree")} .`);
    const id = await cli.ok(
      ...["image", "import", "-q", "--cmd", '["a","b"]', "-e", "X=1", "--workdir", "/w"],
      ...["-l", "k=v", "--user", "5", "--stop-signal", "hup", cli.file("tree.tar"), "tree:1"],
    );
    assert.match(id, /^[0-9a-f]{64}$/);
    const [image] = JSON.parse(await cli.ok("image", "inspect", "tree:1"));
    assert.deepEqual(image.Config, {
      ...{ User: "5", Env: ["X=1"], Entrypoint: [], Cmd: ["a", "b"], WorkingDir: "/w" },
      ...{ StopSignal: "SIGHUP", Labels: { k: "v" } },
    });
    await cli.ok("image", "tag", "tree:1", "other/tree:2");
    const names = await cli.ok("image", "ls", "--format", "{{.Repository}}:{{.Tag}}");
    assert.deepEqual(names.split("\n").sort(), ["busybox:latest", "other/tree:2", "tree:1"]);
    assert.match(await cli.ok("images"), /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
    assert.equal(await cli.ok("image", "rm", "tree:1"), "Untagged: tree:1");
    assert.equal(await cli.ok("rmi", "other/tree:2"), `Untagged: other/tree:2\nDeleted: ${id}`);
    assert.equal(await cli.ok("image", "ls", "-q").then((ids) => ids.split("\n").length), 1);
  });

  it("are imported from stdin", async () => {
    mkdirSync(cli.file("t2"), { recursive: true });
    const { status, stderr } = await cli.shell(
      `tar c -C ${cli.file("t2")} . | gzip | tsrun image import - piped && tsrun image rm piped`,
    );
    assert.equal(status, 0, stderr);
  });

  it("are kept while a container uses them, unless forced", async () => {
    await cli.ok("image", "tag", "busybox", "busybox:second");
    mkdirSync(cli.file("used"), { recursive: true });
    await cli.ok("image", "import", "-q", "--cmd", "x", cli.file("used"), "used");
    await cli.ok("create", "--name", "user", "used");
    const refused = await cli.run(["image", "rm", "used"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /used by/);
    await cli.ok("image", "rm", "-f", "used");
    assert.equal(await cli.ok("ps", "-aq"), "");
    await cli.ok("image", "rm", "busybox:second");
  });
});

describe("info, version, help, completion, system check", () => {
  it("tell about the host and tsrun", async () => {
    const { version } = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    assert.equal(await cli.ok("version"), `tsrun version ${version}`);
    assert.equal(await cli.ok("--version"), `tsrun version ${version}`);
    assert.equal(await cli.ok("version", "--format", "{{.Version}}"), version);
    const info = JSON.parse(await cli.ok("info", "--format", "json"));
    const keys = ["Version", "Node", "Host", "Store", "Cgroup", "Security"];
    assert.deepEqual(
      keys.filter((key) => !(key in info)),
      [],
    );
    assert.equal(info.Store.Root, cli.env["TSRUN_ROOT"]);
    assert.equal(info.Host.Kernel, (await cli.shell("uname -r")).stdout.trim());
    assert.match(await cli.ok("info"), /^ {2}Controllers: /m);
  });

  it("help teaches: by word, by option and for families of commands", async () => {
    assert.match(await cli.ok("help"), /^Run containers:$/m);
    assert.equal(await cli.ok("help", "run"), await cli.ok("run", "--help"));
    assert.equal(await cli.ok("help", "image", "ls"), await cli.ok("image", "ls", "-h"));
    assert.match(await cli.ok("help", "image"), /image import/);
    const none = await cli.run([]);
    assert.equal(none.status, 125);
    assert.match(none.stdout, /Usage: tsrun/);
  });

  it("system check finds nothing wrong here", async () => {
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });
});
