/**
 * runtime.md "Lifecycle" and "Operations", and of runc's command line what engines call, on any
 * runtime. RUNTIME=crun npm run test:conformance
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "../support/cli.ts";
import { debianRoot } from "../support/roots.ts";
import type { Bundle, Changes } from "./bundle.ts";
import { Runtime } from "./runtime.ts";

let runtime: Runtime;
before(async () => {
  runtime = await Runtime.open();
});
after(() => runtime[Symbol.asyncDispose]());

const shell = (script: string): Changes => ({ "process.args": ["sh", "-c", script] });
const FOREVER = shell("sleep 1000");

function bundleWith(changes: Changes): Bundle {
  const bundle = runtime.bundle();
  bundle.write(changes);
  return bundle;
}

async function running(changes: Changes = FOREVER): Promise<Bundle> {
  const bundle = bundleWith(changes);
  await runtime.created(bundle);
  await runtime.ok("start", bundle.id);
  return bundle;
}

async function stopped(): Promise<Bundle> {
  const bundle = await running(shell("true"));
  await runtime.stopped(bundle.id);
  return bundle;
}

/** The words that engines match are runc's; engines know crun's others. */
function says(message: string, words: RegExp): void {
  assert.match(message, runtime.name === "crun" ? /./ : words);
}

async function until(what: string, met: () => boolean): Promise<void> {
  for (let wait = 0; wait < 200; wait += 1) {
    if (met()) return;
    await sleep(25);
  }
  assert.fail(`not within 5 s: ${what}`);
}

function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

describe("lifecycle", { concurrency: 2 }, () => {
  it("create makes it all but the program, start runs that, delete takes it away", async () => {
    const bundle = bundleWith(shell("echo started > /mark"));
    await runtime.created(bundle);
    const { pid = 0, status } = await runtime.state(bundle.id);
    assert.equal(status, "created");
    assert.ok(isAlive(pid));
    assert.ok(!existsSync(bundle.root("mark")));
    await runtime.ok("start", bundle.id);
    await runtime.stopped(bundle.id);
    assert.equal(readFileSync(bundle.root("mark"), "utf8"), "started\n");
    await runtime.ok("delete", bundle.id);
    await runtime.refused("state", bundle.id);
    assert.ok(!runtime.knows(bundle.id));
  });

  it("state tells what the specification lists", async () => {
    const annotations = { "org.example/one": "1", two: "" };
    const bundle = await running({ ...FOREVER, annotations });
    const state = await runtime.state(bundle.id);
    assert.match(state.ociVersion, /^1\.\d+\.\d+/);
    assert.equal(state.id, bundle.id);
    assert.equal(state.status, "running");
    assert.equal(state.bundle, bundle.folder);
    for (const [key, value] of Object.entries(annotations)) {
      assert.equal(state.annotations?.[key], value);
    }
    assert.ok(isAlive(state.pid ?? 0));
  });

  it("a change of config.json after create has no effect", async () => {
    const bundle = bundleWith(shell("echo first"));
    await runtime.created(bundle);
    bundle.write(shell("echo second"));
    await runtime.ok("start", bundle.id);
    await runtime.stopped(bundle.id);
    assert.equal(bundle.output(), "first\n");
  });

  it("create refuses an id that is in use, and leaves its container alone", async () => {
    const bundle = await running();
    assert.notEqual(await runtime.create(bundle), 0);
    assert.equal((await runtime.state(bundle.id)).status, "running");
  });

  it("create refuses an id that is a path", async () => {
    const bundle = bundleWith(FOREVER);
    await runtime.refused("create", "--bundle", bundle.folder, "../out");
    assert.ok(!existsSync(join(runtime.base, "out")));
  });

  it("create refuses a bundle without a configuration, or with one that is no JSON", async () => {
    const bundle = runtime.bundle();
    await runtime.refused("create", "--bundle", bundle.folder, bundle.id);
    writeFileSync(bundle.path("config.json"), '{"ociVersion": "1.0.2",');
    await runtime.refused("create", "--bundle", bundle.folder, bundle.id);
    assert.ok(!runtime.knows(bundle.id));
  });

  it("start refuses what runs, what has ended and what is not there", async () => {
    await runtime.refused("start", (await running()).id);
    const { id } = await stopped();
    says(await runtime.refused("start", id), /cannot start a container that has stopped/);
    says(await runtime.refused("start", "not-there"), /does not exist/);
  });

  it("kill sends TERM, or a signal by number or name, also to a created container", async () => {
    const script =
      "trap 'echo hup' HUP; trap 'echo usr1' USR1; trap 'exit 0' TERM; echo set; while :; do sleep 0.1; done";
    const bundle = await running(shell(script));
    await until("the traps are set", () => bundle.output() === "set\n");
    await runtime.ok("kill", bundle.id, "1");
    await until("HUP arrives", () => bundle.output() === "set\nhup\n");
    await runtime.ok("kill", bundle.id, "SIGUSR1");
    await until("USR1 arrives", () => bundle.output() === "set\nhup\nusr1\n");
    await runtime.ok("kill", bundle.id);
    await runtime.stopped(bundle.id);

    const created = bundleWith(FOREVER);
    await runtime.created(created);
    await runtime.ok("kill", created.id, "KILL");
    await runtime.stopped(created.id);
  });

  it("kill refuses what has ended, what is not there and what is no signal", async () => {
    const bundle = await stopped();
    says(await runtime.refused("kill", bundle.id, "9"), /not running/);
    says(await runtime.refused("kill", "not-there", "9"), /does not exist/);
    // crun takes any word for a signal.
    if (runtime.name !== "crun") await runtime.refused("kill", (await running()).id, "NOSUCH");
  });

  it("delete refuses what runs; --force ends it first, and takes a missing one for done", async () => {
    const bundle = await running();
    const { pid = 0 } = await runtime.state(bundle.id);
    await runtime.refused("delete", bundle.id);
    assert.ok(isAlive(pid));
    await runtime.ok("delete", "--force", bundle.id);
    await until("its program has ended", () => !isAlive(pid));
    await runtime.refused("delete", bundle.id);
    await runtime.ok("delete", "--force", bundle.id);
  });

  it("delete leaves no process of a container without a PID namespace", async () => {
    const bundle = await running({
      ...shell("sleep 1000 & echo $! > /pid; sleep 1000"),
      "linux.namespaces-pid": undefined,
    });
    const read = () => readFileSync(bundle.root("pid"), "utf8");
    await until("the second one runs", () => existsSync(bundle.root("pid")) && read() !== "");
    const second = Number(read());
    assert.ok(isAlive(second));
    await runtime.ok("delete", "--force", bundle.id);
    if (runtime.name === "crun") process.kill(second, "SIGKILL"); // it made no cgroup here
    await until("both have ended", () => !isAlive(second));
  });

  it("--pid-file holds the first process's id when create returns", async () => {
    const bundle = bundleWith(FOREVER);
    const file = bundle.path("pid");
    await runtime.created(bundle, { args: ["--pid-file", file] });
    const { pid } = await runtime.state(bundle.id);
    assert.equal(readFileSync(file, "utf8"), String(pid));
  });

  it("the first process is a child of who called create, with nothing between", async () => {
    const bundle = bundleWith(FOREVER);
    const { stdout, stderr } = await runProgram("python3", [
      join(import.meta.dirname, "parent.py"),
      ...runtime.argv,
      ...["create", "--bundle", bundle.folder, "--pid-file", bundle.path("pid"), bundle.id],
    ]);
    assert.equal(stdout, "0 ours\n", stderr);
  });

  it("create's standard streams are the container's", async () => {
    const bundle = bundleWith(shell("cat; echo err >&2"));
    writeFileSync(bundle.path("input"), "in\n");
    await runtime.created(bundle, { input: openSync(bundle.path("input"), "r") });
    await runtime.ok("start", bundle.id);
    await runtime.stopped(bundle.id);
    assert.equal(bundle.output(), "in\nerr\n");
  });

  it("pause freezes, resume goes on; the wrong state is refused", async (t) => {
    if (runtime.name === "crun") return t.skip("crun makes no cgroup here");
    const bundle = await running(shell("while :; do echo x >> /ticks; sleep 0.05; done"));
    const ticks = () =>
      existsSync(bundle.root("ticks")) ? readFileSync(bundle.root("ticks")).length : 0;
    await until("it ticks", () => ticks() > 0);
    await runtime.refused("resume", bundle.id);
    await runtime.ok("pause", bundle.id);
    assert.equal((await runtime.state(bundle.id)).status, "paused");
    await runtime.refused("exec", bundle.id, "true");
    const frozenAt = ticks();
    await sleep(200);
    assert.equal(ticks(), frozenAt);
    await runtime.ok("resume", bundle.id);
    assert.equal((await runtime.state(bundle.id)).status, "running");
    await until("it ticks again", () => ticks() > frozenAt);
  });

  it("ps and list tell what is there", async (t) => {
    if (runtime.name === "crun") return t.skip("crun makes no cgroup here");
    const bundle = await running();
    const { pid } = await runtime.state(bundle.id);
    assert.deepEqual(JSON.parse(await runtime.ok("ps", "--format", "json", bundle.id)), [pid]);
    const list = JSON.parse(await runtime.ok("list", "--format", "json")) as { id: string }[];
    assert.ok(list.some(({ id }) => id === bundle.id));
  });

  it("events --stats is one line of JSON", async (t) => {
    if (runtime.name === "crun") return t.skip("crun has no such command");
    const bundle = await running();
    const event = JSON.parse(await runtime.ok("events", "--stats", bundle.id));
    assert.equal(event.type, "stats");
    assert.equal(event.id, bundle.id);
    assert.ok("cpu" in event.data && "memory" in event.data && "pids" in event.data);
  });

  it("features names the hooks, the namespaces and the mounts' options", async (t) => {
    if (runtime.name === "crun") return t.skip("1.8.1 has no such command");
    const features = JSON.parse(await runtime.ok("features"));
    assert.match(features.ociVersionMin, /^1\./);
    assert.equal(features.hooks.length, 6);
    for (const option of ["ro", "rbind", "rprivate", "nosuid"]) {
      assert.ok(features.mountOptions.includes(option), option);
    }
    assert.ok(features.linux.namespaces.includes("pid"));
    assert.equal(features.linux.seccomp.enabled, true);
  });

  it("spec writes a configuration that runs", async () => {
    const bundle = runtime.bundle();
    const { argv } = runtime;
    const enter = argv.slice(0, argv.indexOf("--") + 1);
    const command = argv.slice(enter.length);
    const script = 'cd "$1"; shift; exec "$@"';
    const words = ["sh", "-c", script, "sh", bundle.folder, ...command, "spec"];
    const [first = "", ...rest] = [...enter, ...words];
    const { status, stderr } = await runProgram(first, rest);
    assert.equal(status, 0, stderr);
    const config = JSON.parse(readFileSync(bundle.path("config.json"), "utf8"));
    config.process.terminal = false;
    config.process.args = ["cat", "/proc/self/comm"];
    writeFileSync(bundle.path("config.json"), JSON.stringify(config));
    assert.equal(await runtime.ok("run", "--bundle", bundle.folder, bundle.id), "cat\n");
  });
});

describe("exec", { concurrency: 2 }, () => {
  it("runs in the container's namespaces and root; its status is the program's", async () => {
    const bundle = await running({ ...FOREVER, hostname: "inside" });
    assert.equal(await runtime.ok("exec", bundle.id, "hostname"), "inside\n");
    const { pid } = await runtime.state(bundle.id);
    const script = "for n in mnt pid net ipc uts cgroup; do readlink /proc/$1/ns/$n; done";
    const theirs = await runtime.ok("exec", bundle.id, "sh", "-c", script, "sh", "self");
    const { stdout: ours } = await runProgram("sh", ["-c", script, "sh", String(pid)]);
    assert.equal(theirs, ours);
    const { status } = await runtime.run(["exec", bundle.id, "sh", "-c", "exit 9"]);
    assert.equal(status, 9);
  });

  it("takes the process object from a file: user, directory, environment, capabilities", async () => {
    const bundle = await running();
    const file = bundle.path("process.json");
    const object = {
      args: [
        "sh",
        "-c",
        "id -u; id -g; pwd; echo $WORD; sed -n 's/^CapBnd:.//p' /proc/self/status",
      ],
      cwd: "/etc",
      env: ["PATH=/bin:/usr/bin", "WORD=from the file"],
      user: { uid: 1000, gid: 1001 },
      capabilities: { bounding: ["CAP_KILL"], effective: [], permitted: [] },
    };
    writeFileSync(file, JSON.stringify(object));
    assert.equal(
      await runtime.ok("exec", "--process", file, bundle.id),
      "1000\n1001\n/etc\nfrom the file\n0000000000000020\n",
    );
  });

  it("--detach returns at once; --pid-file holds the process's id", async () => {
    const bundle = await running();
    const file = bundle.path("exec-pid");
    const argv = [...runtime.argv, "exec", "--detach", "--pid-file", file, bundle.id];
    const [command = "", ...rest] = [...argv, "sleep", "1000"];
    const child = spawn(command, rest, { stdio: "ignore" });
    assert.deepEqual(await once(child, "exit"), [0, null]);
    const pid = Number(readFileSync(file, "utf8"));
    assert.match(readFileSync(`/proc/${pid}/cmdline`, "latin1"), /^sleep\0/);
  });

  it("a program that is not there is 255 with the words that engines look for", async () => {
    const bundle = await running();
    const { status, stderr } = await runtime.run(["exec", bundle.id, "/not/there"]);
    assert.notEqual(status, 0);
    assert.match(stderr, /no such file or directory|not found/i);
    if (runtime.name !== "crun") assert.equal(status, 255);
  });

  it("refuses a container that does not run", async () => {
    await runtime.refused("exec", (await stopped()).id, "true");
    await runtime.refused("exec", "not-there", "true");
  });
});

describe("hooks", { concurrency: 2 }, () => {
  const LISTS = [
    ...["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
  ];

  /** A hook that appends its name and the state's status to a file, which the container sees too. */
  function recorder(bundle: Bundle): Changes {
    mkdirSync(bundle.path("log"));
    const hook = bundle.path("hook");
    // The same path inside: startContainer runs there.
    mkdirSync(bundle.root(bundle.folder), { recursive: true });
    const script = `#!/bin/sh\nstate=$(cat)\nstatus=\${state#*\\"status\\":}\nstatus=\${status# }\nstatus=\${status#\\"}\necho "$1 \${status%%\\"*} $WORD" >> ${bundle.path("log/all")}\n`;
    for (const path of [hook, bundle.root(hook)]) {
      writeFileSync(path, script);
      chmodSync(path, 0o755);
    }
    const lists = LISTS.map((name) => {
      const entry = {
        path: hook,
        args: ["hook", name],
        env: [`WORD=${name}`, "PATH=/bin:/usr/bin"],
      };
      return [`hooks.${name}`, [entry]] as const;
    });
    return {
      ...Object.fromEntries(lists),
      "mounts+": { destination: bundle.path("log"), source: bundle.path("log"), options: ["bind"] },
    };
  }

  it("run in their order, each with the state on stdin and its own environment", async (t) => {
    if (runtime.name === "runc") return t.skip("1.1 runs poststart in create");
    const bundle = runtime.bundle();
    bundle.write({ ...recorder(bundle), ...shell("sleep 0.2") });
    await runtime.created(bundle);
    const lines = () => readFileSync(bundle.path("log/all"), "utf8").trimEnd().split("\n");
    const names = () => lines().map((line) => line.split(" ")[0]);
    assert.deepEqual(names(), LISTS.slice(0, 3));
    await runtime.ok("start", bundle.id);
    await until("poststart has run", () => names().length === 5);
    assert.deepEqual(names(), LISTS.slice(0, 5));
    await runtime.stopped(bundle.id);
    await runtime.ok("delete", bundle.id);
    assert.deepEqual(names(), LISTS);
    for (const line of lines()) {
      const [name, status, word] = line.split(" ");
      assert.equal(word, name);
      if (runtime.name === "crun") continue; // it invents "starting"
      assert.ok(["creating", "created", "running", "stopped"].includes(status ?? ""), line);
    }
  });

  it("the namespaces are the runtime's for createRuntime, the container's for createContainer", async () => {
    const bundle = runtime.bundle();
    const record = (name: string) => ({
      path: "/bin/sh",
      args: ["sh", "-c", `readlink /proc/self/ns/uts > ${bundle.path(name)}`],
    });
    bundle.write({
      ...FOREVER,
      "hooks.createRuntime": [record("runtime")],
      "hooks.createContainer": [record("container")],
    });
    await runtime.created(bundle);
    const read = (name: string) => readFileSync(bundle.path(name), "utf8");
    const { pid } = await runtime.state(bundle.id);
    const { stdout } = await runProgram("readlink", [`/proc/${pid}/ns/uts`]);
    assert.equal(read("container"), stdout);
    assert.notEqual(read("runtime"), stdout);
  });

  for (const name of ["prestart", "createRuntime", "createContainer"]) {
    it(`one of ${name} that fails makes create fail, and nothing stays`, async () => {
      const bundle = bundleWith({
        ...FOREVER,
        [`hooks.${name}`]: [{ path: "/bin/sh", args: ["sh", "-c", "exit 3"] }],
      });
      assert.notEqual(await runtime.create(bundle), 0);
      assert.ok(!runtime.knows(bundle.id));
    });
  }

  it("one that outlives its timeout is killed, and fails", async () => {
    const bundle = bundleWith({
      ...FOREVER,
      "hooks.createRuntime": [{ path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1 }],
    });
    assert.notEqual(await runtime.create(bundle), 0);
  });

  it("one of poststop that fails does not keep delete from its work", async (t) => {
    if (runtime.name === "crun") return t.skip("1.8.1 crashes");
    const bundle = await running({
      ...shell("true"),
      "hooks.poststop": [{ path: "/bin/false" }],
    });
    await runtime.stopped(bundle.id);
    await runtime.ok("delete", bundle.id);
    assert.ok(!runtime.knows(bundle.id));
  });
});

describe("sd_notify", () => {
  const NOTIFY = join(import.meta.dirname, "notify.py");
  const SEND =
    "import os,socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET']); [s.send(m.encode()) for m in sys.argv[1:]]";

  /** A container that says so much, and the lines that a command of the runtime's lets through. */
  async function notified(messages: readonly string[], ...words: readonly string[]) {
    const bundle = bundleWith({
      "root.path": await debianRoot(),
      "root.readonly": true,
      "process.args": ["python3", "-c", SEND, ...messages],
      "mounts+": { destination: "/run", type: "tmpfs", source: "tmpfs" },
    });
    const call = async (...args: readonly string[]) => {
      const path = join(bundle.folder, `${args[0]}.socket`);
      const { stdout, stderr } = await runProgram("python3", [
        NOTIFY,
        path,
        ...runtime.argv,
        ...args,
      ]);
      assert.equal(stderr, "");
      return stdout.trim().split("\n");
    };
    return { bundle, shown: await call(...words, "--bundle", bundle.folder, bundle.id), call };
  }

  it("start waits for READY=1, passes it on, and says who the main process is", async () => {
    const { bundle, shown, call } = await notified(["STATUS=almost", "READY=1"], "create");
    assert.deepEqual(shown, ["0"], "create says nothing");
    const { pid } = await runtime.state(bundle.id);
    const told = await call("start", bundle.id);
    assert.match(told[0] ?? "", /^READY=1 /);
    assert.equal(told.at(-1), "0");
    // crun never says who; runc 1.1.5 does not wait until it was read.
    if (runtime.name !== "tsrun-oci") return;
    assert.deepEqual(told.slice(0, -1), [
      "READY=1  running",
      `MAINPID=${pid}  running`,
      "BARRIER=1 (1 descriptors) running",
    ]);
  });

  it("start does not wait for a program that has ended", async () => {
    const { bundle, call } = await notified(["STATUS=never"], "create");
    assert.deepEqual(await call("start", bundle.id), ["0"]);
  });

  it("run passes READY=1 on and stays the main process", async (t) => {
    if (runtime.name === "runc") return t.skip("1.1.5 looks for a process 0 and gives up");
    if (runtime.name === "crun") return t.skip("1.8.1 says nothing in the foreground");
    const { shown } = await notified(["READY=1"], "run");
    assert.deepEqual(shown, ["READY=1  running", "0"]);
  });
});

describe("descriptors and terminals", { concurrency: 2 }, () => {
  /** Runs a container with descriptors 3 to 5 open in the runtime's caller. */
  async function withDescriptors(bundle: Bundle, flags: string, environment = ""): Promise<string> {
    const words = [...runtime.argv].map((word) => `'${word}'`).join(" ");
    const script = `exec 3</etc/passwd 4</etc/group 5</etc/hosts; ${environment} exec ${words} run ${flags} --bundle '${bundle.folder}' ${bundle.id}`;
    const { status, stdout, stderr } = await runProgram("bash", ["-c", script]);
    assert.equal(status, 0, stderr);
    return stdout;
  }
  const open = shell(
    "for f in 3 4 5; do [ -e /proc/$$/fd/$f ] && echo $f; done; env | grep ^LISTEN; true",
  );

  it("none of the caller's is in the container", async () => {
    assert.equal(await withDescriptors(bundleWith(open), ""), "");
  });

  it("--preserve-fds gives it so many, from 3 on", async () => {
    assert.equal(await withDescriptors(bundleWith(open), "--preserve-fds 2"), "3\n4\n");
  });

  it("LISTEN_FDS gives it a socket-activated service's", async () => {
    const shown = await withDescriptors(bundleWith(open), "", "LISTEN_FDS=1 LISTEN_PID=$$");
    assert.match(shown, /^3\nLISTEN_/);
    assert.doesNotMatch(shown, /^[45]$/m);
  });

  it("--console-socket gets the terminal's master; the container has /dev/console", async () => {
    const bundle = bundleWith({
      ...shell(
        "tty; stty size; readlink /proc/self/fd/2; ls -l /dev/console | cut -c1; read x; echo got $x",
      ),
      "process.terminal": true,
      "process.consoleSize": { height: 31, width: 97 },
    });
    const socket = bundle.path("console.sock");
    const listener = spawn("python3", [join(import.meta.dirname, "console.py"), socket], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let shown = "";
    listener.stdout.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
    });
    const exited = once(listener, "close");
    await until("it listens", () => shown.startsWith("ready"));
    await runtime.created(bundle, { args: ["--console-socket", socket] });
    await runtime.ok("start", bundle.id);
    await exited;
    const lines = shown.replaceAll("\r", "").split("\n");
    assert.deepEqual(
      lines.filter((line) => !["ready", "typed", ""].includes(line)),
      ["/dev/pts/0", "31 97", "/dev/pts/0", "c", "got typed"],
    );
  });

  it("a console socket without a terminal is refused, and a terminal without a socket", async (t) => {
    const bundle = bundleWith({ ...FOREVER, "process.terminal": true });
    assert.notEqual(await runtime.create(bundle), 0);
    if (runtime.name === "crun") return t.skip("crun passes the socket over");
    const other = bundleWith(FOREVER);
    assert.notEqual(await runtime.create(other, { args: ["--console-socket", "/not/there"] }), 0);
  });
});

describe("command line", { concurrency: 2 }, () => {
  it("--log with --log-format json gets one object per line, with the error last", async () => {
    const file = join(runtime.base, "log.json");
    const { argv } = runtime;
    const rootAt = argv.indexOf("--root");
    const words = [
      ...argv.slice(0, rootAt),
      `--log=${file}`,
      "--log-format",
      "json",
      ...argv.slice(rootAt),
    ];
    const [command = "", ...rest] = [...words, "start", "not-there"];
    assert.notEqual((await runProgram(command, rest)).status, 0);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "");
    assert.equal(last.level, "error");
    says(last.msg, /does not exist/);
    assert.ok(!Number.isNaN(Date.parse(last.time)));
  });

  it("an unknown command and an unknown flag are refused", async () => {
    await runtime.refused("no-such-command");
    await runtime.refused("state", "--no-such-flag", "x");
  });

  it("leaves nothing in its records when all containers are gone", async () => {
    const bundle = await running();
    await runtime.ok("delete", "--force", bundle.id);
    assert.ok(!readdirSync(join(runtime.base, "state")).includes(bundle.id));
  });
});
