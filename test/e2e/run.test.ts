/** `tsrun run` as typed: what comes back, and what each option is inside the container. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";
import { busyboxRoot } from "../support/roots.ts";

let cli: Cli;
before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** stdout of a shell line in a container with these options. */
const inside = (options: readonly string[], script: string) =>
  cli.ok("run", "--rm", ...options, "busybox", "sh", "-c", script);

describe("the exit status of run", () => {
  for (const [script, status] of [
    ["true", 0],
    ["exit 3", 3],
    ["exit 255", 255],
    ["sleep 60 & kill -9 $!; wait $!", 137],
  ] as const) {
    it(`is ${status} for ${script}`, async () => {
      const result = await cli.run(["run", "--rm", "busybox", "sh", "-c", script]);
      assert.equal(result.status, status, result.stderr);
    });
  }

  it("is 128 and the signal for a process that a signal ended", async () => {
    const name = "signalled";
    const ended = cli.run(["run", "--rm", "--name", name, "busybox", "sleep", "60"]);
    await cli.ok("wait", "--condition", "running", name).catch(() => {});
    for (;;) {
      const { status } = await cli.run(["kill", "-s", "KILL", name]);
      if (status === 0) break;
    }
    assert.equal((await ended).status, 137);
  });

  it("is 127 for a command that is not there, 126 for one that cannot be executed", async () => {
    const missing = await cli.run(["run", "--rm", "busybox", "frobnicate"]);
    assert.equal(missing.status, 127);
    assert.match(missing.stderr, /^Error: cannot execute "frobnicate": /);
    const directory = await cli.run(["run", "--rm", "busybox", "/etc"]);
    assert.equal(directory.status, 126);
    assert.match(directory.stderr, /^Error: cannot execute "\/etc": /);
  });

  it("is 125 for an error of tsrun, and nothing is left", async () => {
    const result = await cli.run(["run", "--name", "never", "--workdir", "x", "busybox", "true"]);
    assert.equal(result.status, 125);
    assert.equal(await cli.ok("ps", "-aq"), "");
  });
});

describe("the output of run", () => {
  it("keeps stdout and stderr apart", async () => {
    const result = await cli.run(["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"]);
    assert.deepEqual([result.stdout, result.stderr], ["out\n", "err\n"]);
  });

  it("is the id with -d", async () => {
    const id = await cli.ok("run", "-d", "--name", "background", "busybox", "sleep", "60");
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(
      await cli.ok("inspect", "-f", "{{.Id}} {{.State.Status}}", "background"),
      `${id} running`,
    );
    await cli.ok("rm", "-f", "background");
  });

  it("reads no stdin without -i", async () => {
    const result = await cli.run(["run", "--rm", "busybox", "cat"], { input: "unread" });
    assert.deepEqual([result.status, result.stdout], [0, ""]);
  });
});

describe("what run leaves", () => {
  it("is the ended container, or nothing with --rm", async () => {
    await cli.ok("run", "--name", "kept", "busybox", "true");
    assert.equal(await cli.ok("ps", "-a", "--format", "{{.Names}} {{.State}}"), "kept exited");
    await cli.ok("rm", "kept");
    await cli.ok("run", "--rm", "--name", "gone", "busybox", "true");
    assert.equal(await cli.ok("ps", "-aq"), "");
  });

  it("is nothing with -d --rm, once it has ended", async () => {
    await cli.ok("run", "-d", "--rm", "--name", "soon", "busybox", "true");
    for (let tries = 0; (await cli.ok("ps", "-aq")) !== ""; tries++) assert.ok(tries < 100);
  });

  it("is the id in --cidfile, which must be new", async () => {
    const path = cli.file("cid");
    const id = await cli.ok("run", "-d", "--cidfile", path, "busybox", "true");
    assert.equal(readFileSync(path, "utf8"), id);
    await cli.ok("wait", id);
    await cli.ok("rm", id);
    const again = await cli.run(["run", "--rm", "--cidfile", path, "busybox", "true"]);
    assert.equal(again.status, 125);
    assert.equal(
      again.stderr.split("\n")[0],
      `Error: invalid value "${path}" for --cidfile: it exists`,
    );
    const nowhere = await cli.run(["run", "--cidfile", cli.file("no/such/cid"), "busybox", "true"]);
    assert.equal(nowhere.status, 125);
    assert.match(nowhere.stderr, /cannot write the --cidfile/);
    assert.equal(await cli.ok("ps", "-aq"), "");
  });
});

describe("options of run, seen from inside", () => {
  it("--env, --env-file, --env-host", async () => {
    writeFileSync(cli.file("env"), "# comment\nB=from file\nC=from file\nHOSTS\n");
    const options = ["--env-host", "--env-file", cli.file("env"), "-e", "C=typed", "-e", "HOSTS"];
    const out = await cli.okWith(
      { env: { HOSTS: "h", EXTRA: "x" } },
      ...["run", "--rm", ...options, "busybox", "sh", "-c", 'echo "$B|$C|$HOSTS|$EXTRA"'],
    );
    assert.equal(out, "from file|typed|h|x");
  });

  it("--workdir, also one that is not there yet", async () => {
    assert.equal(await inside(["-w", "/tmp"], "pwd"), "/tmp");
    assert.equal(await inside(["--workdir", "/new/dir"], "pwd"), "/new/dir");
  });

  it("--user, --group-add and --umask", async () => {
    assert.equal(
      await inside(
        ["-u", "1000:1001", "--group-add", "7", "--umask", "0077"],
        "id -u; id -g; id -G; umask",
      ),
      "1000\n1001\n1001 7\n0077",
    );
  });

  it("--hostname, --domainname and --add-host, --dns", async () => {
    assert.equal(
      await inside(
        ["-h", "box", "--domainname", "dom"],
        "hostname; cat /proc/sys/kernel/domainname",
      ),
      "box\ndom",
    );
    const hosts = await inside(
      ["--add-host", "db:10.1.2.3", "--dns", "9.9.9.9"],
      "cat /etc/hosts /etc/resolv.conf",
    );
    assert.match(hosts, /^10\.1\.2\.3\s+db$/m);
    assert.match(hosts, /^nameserver 9\.9\.9\.9$/m);
  });

  it("--volume: read-write, read-only, and a source that is made", async () => {
    mkdirSync(cli.file("data"));
    writeFileSync(cli.file("data/in"), "from the host");
    const volume = `${cli.file("data")}:/data`;
    assert.equal(
      await inside(["-v", volume], "cat /data/in; echo out > /data/out"),
      "from the host",
    );
    assert.equal(readFileSync(cli.file("data/out"), "utf8"), "out\n");
    assert.equal(
      await inside(["-v", `${volume}:ro,z`], "touch /data/x 2>/dev/null || echo refused"),
      "refused",
    );
    await inside(["-v", `${cli.file("made")}:/made`], "true");
    assert.ok(existsSync(cli.file("made")));
  });

  it("--mount and --tmpfs", async () => {
    mkdirSync(cli.file("source"), { recursive: true });
    const bind = `type=bind,source=${cli.file("source")},target=/b,ro`;
    const out = await inside(
      [
        "--mount",
        bind,
        "--mount",
        "type=tmpfs,target=/t,tmpfs-size=1m",
        "--tmpfs",
        "/u:noexec,mode=700",
      ],
      "grep -E ' /(b|t|u) ' /proc/mounts | cut -d' ' -f2-4; stat -c %a /u",
    );
    assert.match(out, /^\/b \S+ ro,/m);
    assert.match(out, /^\/t tmpfs rw.*size=1024k/m);
    assert.match(out, /^\/u tmpfs rw.*noexec/m);
    assert.match(out, /^700$/m);
    const missing = await cli.run([
      ...["run", "--rm", "--mount", "type=bind,source=/no/such,target=/b", "busybox", "true"],
    ]);
    assert.equal(missing.status, 125);
    assert.match(missing.stderr, /"\/no\/such"/);
  });

  it("--read-only and --shm-size", async () => {
    const out = await inside(
      ["--read-only", "--shm-size", "1m"],
      "touch /x 2>/dev/null || echo ro; touch /tmp/x && echo tmp; df -k /dev/shm | tail -1 | awk '{print $2}'",
    );
    assert.equal(out, "ro\ntmp\n1024");
  });

  it("--rootfs instead of an image", async () => {
    const out = await cli.ok(
      "run",
      "--rm",
      "--rootfs",
      await busyboxRoot(),
      "echo",
      "from a directory",
    );
    assert.equal(out, "from a directory");
  });

  it("--entrypoint", async () => {
    assert.equal(await cli.ok("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b"), "a b");
    assert.equal(
      await cli.ok("run", "--rm", "--entrypoint", '["echo","x"]', "busybox", "y"),
      "x y",
    );
  });

  it("--ulimit, --oom-score-adj, --cpu-affinity and --personality", async () => {
    const out = await inside(
      [
        ...["--ulimit", "nofile=100:200", "--oom-score-adj", "500", "--cpu-affinity", "0"],
        ...["--personality", "linux32"],
      ],
      "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep Cpus_allowed_list /proc/self/status | cut -f2; uname -m",
    );
    const machine = process.arch === "x64" ? "i686" : "armv8l";
    assert.equal(out, `100\n200\n500\n0\n${machine}`);
  });

  it("--cap-add, --cap-drop and --privileged", async () => {
    const effective = async (...options: string[]) =>
      BigInt(`0x${await inside(options, "grep CapEff /proc/self/status | cut -f2")}`);
    const usual = await effective();
    const sysTime = 1n << 25n;
    assert.equal(usual & sysTime, 0n);
    assert.equal(await effective("--cap-add", "sys_time"), usual | sysTime);
    assert.equal(await effective("--cap-drop", "all"), 0n);
    assert.ok((await effective("--privileged")) > usual);
  });

  it("--security-opt", async () => {
    const field = (name: string, ...options: string[]) =>
      inside(options, `grep ^${name}: /proc/self/status | cut -f2`);
    assert.equal(await field("NoNewPrivs"), "0");
    assert.equal(await field("NoNewPrivs", "--security-opt", "no-new-privileges"), "1");
    assert.equal(await field("Seccomp"), "2");
    assert.equal(await field("Seccomp", "--security-opt", "seccomp=unconfined"), "0");
  });

  it("--sysctl", async () => {
    assert.equal(
      await inside(["--sysctl", "net.core.somaxconn=77"], "cat /proc/sys/net/core/somaxconn"),
      "77",
    );
  });

  it("--init: a PID 1 of tsrun's own reaps orphans", async () => {
    assert.notEqual(await inside(["--init"], "echo $$"), "1");
    assert.equal(await inside([], "echo $$"), "1");
    const zombies =
      "sh -c 'sleep 0.1 &'; sleep 0.4; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
    assert.equal(await inside(["--init"], zombies), "0");
  });

  it("--network none, host and container:NAME", async () => {
    assert.equal(await inside(["--network", "none"], "ls /sys/class/net"), "lo");
    const host = await inside(["--network", "host"], "readlink /proc/self/ns/net");
    assert.equal(host, (await cli.shell("readlink /proc/self/ns/net")).stdout.trim());
    await cli.ok("run", "-d", "--name", "net", "busybox", "sleep", "60");
    const own = await cli.ok("exec", "net", "readlink", "/proc/self/ns/net");
    assert.equal(await inside(["--network", "container:net"], "readlink /proc/self/ns/net"), own);
    assert.notEqual(own, host);
    await cli.ok("rm", "-f", "net");
  });

  it("--pid, --ipc, --uts and --cgroupns", async () => {
    for (const [option, file] of [
      ["pid", "pid"],
      ["ipc", "ipc"],
      ["uts", "uts"],
      ["cgroupns", "cgroup"],
    ] as const) {
      const own = await inside([], `readlink /proc/self/ns/${file}`);
      const host = await inside([`--${option}`, "host"], `readlink /proc/self/ns/${file}`);
      assert.equal(host, (await cli.shell(`readlink /proc/self/ns/${file}`)).stdout.trim(), option);
      assert.notEqual(own, host, option);
    }
  });

  it("--userns auto, and --uidmap", async () => {
    const map = "awk '{print $1, $2, $3}' /proc/self/uid_map";
    assert.match(await inside(["--userns", "auto:size=2000"], map), /^0 [1-9]\d+ 2000$/);
    assert.equal(
      await inside(["--uidmap", "0:200000:1000", "--gidmap", "0:300000:500"], `${map}; id -u`),
      "0 200000 1000\n0",
    );
  });

  it("--time-offset", async () => {
    const uptime = await inside(["--time-offset", "boottime=10d"], "cut -d. -f1 /proc/uptime");
    assert.ok(Number(uptime) > 10 * 86_400, uptime);
  });

  it("--device and --device-cgroup-rule", async () => {
    const out = await inside(
      ["--device", "/dev/zero:/dev/nothing:r", "--device-cgroup-rule", "c 5:1 rwm"],
      "head -c 2 /dev/nothing | wc -c; ls -l /dev/nothing | cut -c1",
    );
    assert.equal(out, "2\nc");
  });

  it("--label, --label-file, --annotation and --stop-signal are told by inspect", async () => {
    writeFileSync(cli.file("labels"), "b=2\n# no\nc\n");
    await cli.ok(
      ...["create", "--name", "told", "--label", "a=1", "--label-file", cli.file("labels")],
      ...[
        "--annotation",
        "org.example=x",
        "--stop-signal",
        "int",
        "--stop-timeout",
        "3",
        "busybox",
      ],
      "true",
    );
    const [told] = JSON.parse(await cli.ok("inspect", "told"));
    assert.deepEqual(told.Config.Labels, { a: "1", b: "2", c: "" });
    assert.deepEqual(told.Config.Annotations, { "org.example": "x" });
    assert.deepEqual([told.Config.StopSignal, told.Config.StopTimeout], ["SIGINT", 3]);
    await cli.ok("rm", "told");
  });
});
