/** podman 4.3 with tsrun-oci in place of runc: its daily commands, and what they ask of a runtime. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";
import { Pty } from "../support/pty.ts";
import { podmanClient } from "./podman-client.ts";
import { type Client, PrivateHost, RUNTIME, unavailable, until } from "./private-host.ts";

const IMAGE = "localhost/busybox";
/** Networks are netavark's business, and no other test of this file's. */
const RUN = ["run", "--network=none"];
const skip = unavailable("/usr/bin/podman", "/usr/bin/conmon");

describe("podman", { skip: skip ?? false }, () => {
  let host: PrivateHost;
  let podman: Client;
  let buildah: Client;

  before(async () => {
    host = await PrivateHost.open();
    const client = podmanClient(host);
    podman = client("podman");
    buildah = client("buildah");
    await podman.ok("import", await host.rootArchive(), IMAGE);
  });
  after(() => host[Symbol.asyncDispose]());

  it("info names tsrun-oci", async () => {
    const shown = await podman.ok(
      "info",
      "--format",
      "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Version}}",
    );
    assert.match(shown, /^tsrun-oci .*tsrun-oci version/);
  });

  it("run: output, status, a program that is not there, one that may not be run", async () => {
    assert.equal(await podman.ok(...RUN, "--rm", IMAGE, "echo", "hello"), "hello");
    assert.equal((await podman.run(...RUN, "--rm", IMAGE, "sh", "-c", "exit 9")).status, 9);
    assert.equal((await podman.run(...RUN, "--rm", IMAGE, "nothing-such")).status, 127);
    assert.equal((await podman.run(...RUN, "--rm", IMAGE, "/etc/passwd")).status, 126);
  });

  it("run -d, logs, exec, top, pause, unpause, stop, start, kill, rm -f", async () => {
    const script = "echo out; trap 'exit 5' TERM; while :; do sleep 0.1; done";
    await podman.ok(...RUN, "-d", "--name=d", "--hostname=inside", IMAGE, "sh", "-c", script);
    await until("it logs", async () => (await podman.ok("logs", "d")) === "out");
    assert.equal(await podman.ok("exec", "d", "hostname"), "inside");
    assert.equal((await podman.run("exec", "d", "sh", "-c", "exit 7")).status, 7);
    assert.equal((await podman.run("exec", "d", "nothing-such")).status, 127);
    assert.equal(
      await podman.ok(
        "exec",
        "-u",
        "1:2",
        "-w",
        "/etc",
        "-e",
        "A=b",
        "d",
        "sh",
        "-c",
        "id -u; pwd; echo $A",
      ),
      "1\n/etc\nb",
    );
    const state = () =>
      podman.ok("inspect", "d", "--format", "{{.State.Status}} {{.State.ExitCode}}");
    await podman.ok("pause", "d");
    assert.equal(await state(), "paused 0");
    assert.notEqual((await podman.run("exec", "d", "true")).status, 0);
    await podman.ok("unpause", "d");
    await podman.ok("stop", "--time=20", "d");
    assert.equal(await state(), "exited 5");
    await podman.ok("start", "d");
    await podman.ok("kill", "d");
    await until("it is killed", async () => (await state()) === "exited 137");
    await podman.ok("start", "d");
    await podman.ok("rm", "-f", "--time=0", "d");
    assert.equal(await podman.ok("ps", "-aq"), "");
  });

  it("run -it and exec -it in a terminal", async () => {
    const [command, ...args] = podman.argv(...RUN, "-it", "--rm", "--name=t", IMAGE, "sh");
    await using pty = new Pty(command, args, { rows: 33, cols: 99 });
    await pty.waitFor(/# /);
    pty.type("tty; stty size\n");
    await pty.waitFor(/\/dev\/pts\/0\r\n33 99/);
    const [second, ...rest] = podman.argv("exec", "-it", "t", "sh");
    await using inside = new Pty(second, rest);
    await inside.waitFor(/# /);
    inside.type("tty; exit 4\n");
    await inside.waitFor(/\/dev\/pts\/1/);
    assert.deepEqual(await inside.waitForExit(), { code: 4, signal: null });
    pty.type("exit 3\n");
    assert.deepEqual(await pty.waitForExit(), { code: 3, signal: null });
  });

  it("--read-only, --tmpfs, volumes", async () => {
    const data = host.file("data");
    mkdirSync(data);
    const script =
      "touch /x 2>/dev/null || echo ro; touch /t/x && echo tmpfs; echo written > /d/file; stat -c %a /t; cat /v/in; touch /v/x 2>/dev/null || echo ro";
    mkdirSync(host.file("v"));
    writeFileSync(host.file("v/in"), "volume\n");
    const shown = await podman.ok(
      ...[...RUN, "--rm", "--read-only", "--tmpfs=/t:size=1m,mode=711"],
      ...["-v", `${data}:/d`, "-v", `${host.file("v")}:/v:ro`, IMAGE, "sh", "-c", script],
    );
    assert.equal(shown, "ro\ntmpfs\n711\nvolume\nro");
    assert.equal(readFileSync(`${data}/file`, "utf8"), "written\n");
    await podman.ok(...RUN, "--rm", "-v=named:/n", IMAGE, "sh", "-c", "echo kept > /n/f");
    assert.equal(await podman.ok(...RUN, "--rm", "-v=named:/n", IMAGE, "cat", "/n/f"), "kept");
  });

  it("user namespaces", async () => {
    const shown = await podman.ok(
      ...RUN,
      "--rm",
      "--uidmap=0:100000:1000",
      IMAGE,
      "sh",
      "-c",
      "id -u; cat /proc/self/uid_map",
    );
    assert.match(shown, /^0\n +0 +100000 +1000$/);
  });

  it("--userns=auto: each container has ids of its own", async () => {
    // The host's own list is not ours to write.
    for (const kind of ["subuid", "subgid"]) {
      writeFileSync(host.file(kind), "containers:2000000:1000000\n");
      const { status, stderr } = await host.run([
        ...["mount", "--bind", host.file(kind), `/etc/${kind}`],
      ]);
      assert.equal(status, 0, stderr);
    }
    const auto = [...RUN, "-d", "--userns=auto:size=1024"];
    const script = "cat /proc/self/uid_map; touch /made; stat -c %u /made; sleep 1000";
    const maps = [];
    for (const name of ["auto1", "auto2"]) {
      await podman.ok(...auto, `--name=${name}`, IMAGE, "sh", "-c", script);
      await until("it wrote", async () => /\n0$/.test(await podman.ok("logs", name)));
      maps.push((await podman.ok("logs", name)).trim().split(/\s+/).slice(0, 3));
    }
    assert.deepEqual(maps, [
      ["0", "2000000", "1024"],
      ["0", "2001024", "1024"],
    ]);
    assert.equal(await podman.ok("exec", "auto2", "id", "-u"), "0");
    await podman.ok("rm", "-f", "--time=0", "auto1", "auto2");
  });

  it("capabilities, no-new-privileges and a seccomp profile", async () => {
    const profile = host.file("seccomp.json");
    const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }));
    const { status, stderr } = await podman.run(
      ...RUN,
      "--rm",
      `--security-opt=seccomp=${profile}`,
      IMAGE,
      "mkdir",
      "/x",
    );
    assert.equal(status, 1);
    assert.match(stderr, /No space left/);
    const script = "sed -n 's/^\\(CapEff\\|NoNewPrivs\\|Seccomp\\):.//p' /proc/self/status";
    assert.equal(
      await podman.ok(
        ...RUN,
        "--rm",
        "--cap-drop=all",
        "--cap-add=kill",
        "--security-opt=no-new-privileges",
        IMAGE,
        "sh",
        "-c",
        script,
      ),
      "0000000000000020\n1\n2",
    );
  });

  it("--systemd=always: what systemd needs, and its stop signal", async () => {
    const script =
      "stat -f -c %t /run /tmp; test -w /sys/fs/cgroup/cgroup.procs && echo writable; echo $container; trap 'exit 6' 37; echo set; while :; do sleep 0.1; done";
    await podman.ok(...RUN, "-d", "--name=s", "--systemd=always", IMAGE, "sh", "-c", script);
    await until("the trap is set", async () => /set$/.test(await podman.ok("logs", "s")));
    assert.match(await podman.ok("logs", "s"), /^1021994\n1021994\nwritable\n/);
    await podman.ok("stop", "--time=20", "s");
    assert.equal(await podman.ok("inspect", "s", "--format", "{{.State.ExitCode}}"), "6");
    await podman.ok("rm", "s");
  });

  it("a pod's containers share namespaces", async () => {
    // Under the pod's own cgroup nothing could start where no controller is: podman denies it all devices.
    await podman.ok(
      "pod",
      "create",
      "--name=p",
      "--network=none",
      "--share-parent=false",
      "--infra-image",
      IMAGE,
      "--infra-command",
      "sleep 1000",
      "--share=ipc,net,uts",
    );
    await podman.ok("run", "-d", "--pod=p", "--name=p1", IMAGE, "sleep", "1000");
    const of = (name: string) =>
      podman.ok(
        "exec",
        name,
        "sh",
        "-c",
        "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; hostname",
      );
    await podman.ok("run", "-d", "--pod=p", "--name=p2", IMAGE, "sleep", "1000");
    assert.equal(await of("p1"), await of("p2"));
    await podman.ok("pod", "rm", "-f", "--time=0", "p");
  });

  it("a healthcheck", async () => {
    await podman.ok(
      ...RUN,
      "-d",
      "--name=h",
      "--health-cmd=test -e /healthy",
      "--health-interval=disable",
      IMAGE,
      "sleep",
      "1000",
    );
    assert.equal((await podman.run("healthcheck", "run", "h")).status, 1);
    await podman.ok("exec", "h", "touch", "/healthy");
    await podman.ok("healthcheck", "run", "h");
    await podman.ok("rm", "-f", "--time=0", "h");
  });

  it("build, by podman and by buildah", async () => {
    const context = host.file("context");
    mkdirSync(context);
    writeFileSync(
      `${context}/Containerfile`,
      `FROM ${IMAGE}\nENV WHO=built\nRUN echo $WHO > /made && chmod 640 /made\nCMD ["cat", "/made"]\n`,
    );
    await podman.ok("build", "--network=none", "-t", "localhost/one", context);
    assert.equal(await podman.ok(...RUN, "--rm", "localhost/one"), "built");
    await buildah.ok(
      "bud",
      "--isolation=oci",
      `--runtime=${RUNTIME}`,
      "--network=none",
      "--no-cache",
      "-t",
      "localhost/two",
      context,
    );
    assert.equal(await podman.ok(...RUN, "--rm", "localhost/two"), "built");
  });

  it("runs what tsrun has committed", async () => {
    await using cli = await Cli.open();
    const script = "echo changed > /etc/word; rm /bin/ash";
    await cli.ok("run", "--name", "box", "busybox", "sh", "-c", script);
    await cli.ok("commit", "-q", "-c", 'CMD ["cat","/etc/word"]', "box", "committed");
    const archive = host.file("committed.tar");
    await cli.ok("save", "--format", "oci-archive", "-o", archive, "committed");
    const id = await podman.ok("pull", "-q", `oci-archive:${archive}`);
    assert.equal(await podman.ok(...RUN, "--rm", id), "changed");
    assert.equal((await podman.run(...RUN, "--rm", id, "ash")).status, 127);
  });
});
