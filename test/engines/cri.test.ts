/**
 * containerd 1.6's CRI plugin, driven as a kubelet drives it, with tsrun-oci behind a RuntimeClass's
 * handler: a pod's life. What else pods ask for is in cri-security.test.ts; limits, which need the
 * controllers of cgroup v2, in cri-limits.test.ts.
 */
import assert from "node:assert/strict";
import { readFileSync, renameSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { container, FOREVER, logOf, pod } from "./cri/configs.ts";
import type { Kubelet } from "./cri/kubelet.ts";
import type { PodConfig } from "./cri/messages.ts";
import { CriNode, HANDLER, nodeUnavailable } from "./cri/node.ts";
import { RUNTIME, until } from "./private-host.ts";

const skip = nodeUnavailable();

describe("containerd's CRI", { skip: skip ?? false }, () => {
  let node: CriNode;
  let kubelet: Kubelet;

  before(async () => {
    node = await CriNode.open({ limits: false });
    kubelet = node.kubelet;
  });
  after(() => node[Symbol.asyncDispose]());

  it("Version and Status: the runtime and the network are ready", async () => {
    const version = await kubelet.call("Version", {});
    assert.equal(version.runtimeName, "containerd");
    assert.equal(version.runtimeApiVersion, "v1");
    const { status, info } = await kubelet.call("Status", { verbose: true });
    assert.deepEqual(
      status.conditions.map(({ type, status: isSo }) => [type, isSo]),
      [
        ["RuntimeReady", true],
        ["NetworkReady", true],
      ],
    );
    const { containerd } = JSON.parse(info["config"] ?? "");
    assert.equal(containerd.runtimes[HANDLER].options.BinaryName, RUNTIME);
  });

  it("a RuntimeClass's handler that is not configured is refused", async () => {
    await assert.rejects(kubelet.runPod(pod(node, "nowhere"), "nothing-such"), /nothing-such/);
  });

  describe("a pod", () => {
    let config: PodConfig;
    let podId: string;
    let app: string;

    before(async () => {
      config = pod(node, "web-0", {
        labels: { app: "web" },
        annotations: { note: "kept" },
        dnsConfig: { servers: ["10.96.0.10"], searches: ["svc.cluster.local"] },
      });
      podId = await kubelet.runPod(config, HANDLER);
      const script =
        "echo to stdout; echo to stderr >&2; trap 'echo bye; exit 5' TERM; while :; do sleep 0.1; done";
      app = await kubelet.start(podId, config, container("app", ["sh", "-c", script]));
    });
    after(() => kubelet.removePod(podId));

    it("PodSandboxStatus: ready, with an address of the pod network, by the handler", async () => {
      const { status } = await kubelet.call("PodSandboxStatus", { podSandboxId: podId });
      assert.equal(status.state, "SANDBOX_READY");
      assert.equal(status.runtimeHandler, HANDLER);
      assert.match(status.network?.ip ?? "", /^10\.88\.0\.\d+$/);
      assert.deepEqual([status.labels, status.annotations], [config.labels, config.annotations]);
      assert.match(
        await kubelet.sh(app, "ip -4 addr show eth0"),
        new RegExp(status.network?.ip ?? "-"),
      );
    });

    it("tsrun-oci runs the sandbox and the container, and no other", async () => {
      assert.deepEqual((await node.runtimeIds()).sort(), [podId, app].sort());
    });

    it("ContainerStatus and ListContainers", async () => {
      const { state, metadata, logPath } = await kubelet.status(app);
      assert.deepEqual([state, metadata.name], ["CONTAINER_RUNNING", "app"]);
      assert.equal(logPath, `${config.logDirectory}/app.log`);
      const { containers } = await kubelet.call("ListContainers", {
        filter: { podSandboxId: podId },
      });
      assert.deepEqual(
        containers.map(({ id }) => id),
        [app],
      );
    });

    it("the pod's name, its name servers", async () => {
      assert.equal(await kubelet.sh(app, "hostname; echo $HOSTNAME"), "web-0\nweb-0");
      assert.match(await kubelet.sh(app, "cat /etc/hostname"), /^web-0$/);
      assert.match(
        await kubelet.sh(app, "cat /etc/resolv.conf"),
        /search svc\.cluster\.local\nnameserver 10\.96\.0\.10/,
      );
    });

    it("the log, in CRI's format, and ReopenContainerLog after its rotation", async () => {
      const lines = /^\S+T\S+Z stdout F to stdout$/m;
      await until("it logs", async () => lines.test(logOf(config, "app")));
      await until("it logs", async () => /^\S+ stderr F to stderr$/m.test(logOf(config, "app")));
      const path = `${config.logDirectory}/app.log`;
      renameSync(path, `${path}.1`);
      await kubelet.call("ReopenContainerLog", { containerId: app });
      assert.equal(readFileSync(path, "utf8"), "");
    });

    it("ExecSync: output, status, a program that is not there, a timeout that ends it", async () => {
      assert.deepEqual(await kubelet.execSync(app, "sh", "-c", "echo out; echo err >&2; exit 7"), {
        ...{ stdout: "out\n", stderr: "err\n", status: 7 },
      });
      await assert.rejects(kubelet.execSync(app, "nothing-such"), /executable file not found/);
      await assert.rejects(
        kubelet.call("ExecSync", { containerId: app, cmd: ["sleep", "7654"], timeout: 1 }),
        /DEADLINE_EXCEEDED/,
      );
      await until("it is killed", async () => !/7654/.test(await kubelet.sh(app, "ps -o args")));
    });

    it("ExecSync: a mebibyte of output is whole", async () => {
      const { stdout } = await kubelet.execSync(app, "sh", "-c", "yes 0123456 | head -c 1048576");
      assert.equal(stdout, "0123456\n".repeat(131_072));
    });

    it("Exec: streams in both directions, and the status at their end", async () => {
      await using stream = await kubelet.exec(app, [
        ...["sh", "-c", "read line; echo got $line; echo err >&2; exit 7"],
      ]);
      stream.type("a line\n");
      const { status, reason, details } = await stream.ended();
      assert.deepEqual([stream.stdout, stream.stderr], ["got a line\n", "err\n"]);
      assert.deepEqual([status, reason], ["Failure", "NonZeroExitCode"]);
      assert.deepEqual(details?.causes, [{ reason: "ExitCode", message: "7" }]);
      await using good = await kubelet.exec(app, ["true"]);
      assert.equal((await good.ended()).status, "Success");
    });

    it("Exec: a terminal that follows its window's size", async () => {
      await using stream = await kubelet.exec(app, ["sh"], { tty: true });
      await stream.waitFor(/# /);
      stream.resize(99, 33);
      stream.type(
        "tty; until [ \"$(stty size)\" = '33 99' ]; do sleep 0.1; done; echo re''sized\n",
      );
      await stream.waitFor(/\/dev\/pts\/\d.*resized/s);
      stream.type("exit 3\n");
      const { details } = await stream.ended();
      assert.deepEqual(details?.causes, [{ reason: "ExitCode", message: "3" }]);
    });

    it("ContainerStats answers; its numbers take cgroup v2's controllers", async () => {
      const { stats } = await kubelet.call("ContainerStats", { containerId: app });
      assert.deepEqual([stats.attributes.id, stats.attributes.metadata.name], [app, "app"]);
    });

    it("a second container shares the pod's network, IPC and name, and has its own processes", async () => {
      const side = await kubelet.start(podId, config, container("side", FOREVER));
      const namespaces = (id: string, ...names: string[]) =>
        kubelet.sh(id, names.map((name) => `readlink /proc/self/ns/${name}`).join("; "));
      const shared = ["net", "ipc", "uts"];
      assert.equal(await namespaces(side, ...shared), await namespaces(app, ...shared));
      const own = ["mnt", "pid"];
      assert.notEqual(await namespaces(side, ...own), await namespaces(app, ...own));
      await kubelet.sh(app, "mkdir /www; echo served > /www/index.html; httpd -p 8080 -h /www");
      assert.equal(await kubelet.sh(side, "wget -q -O - http://127.0.0.1:8080/"), "served");
      await kubelet.sh(app, "echo there > /dev/shm/note");
      assert.equal(await kubelet.sh(side, "cat /dev/shm/note"), "there");
      await kubelet.call("StopContainer", { containerId: side, timeout: 0 });
      await kubelet.call("RemoveContainer", { containerId: side });
    });

    it("an ephemeral container that is aimed at another sees its processes", async () => {
      const target = { pid: "TARGET", targetId: app } as const;
      const debug = await kubelet.start(
        podId,
        config,
        container("debug", FOREVER, { security: { namespaceOptions: target } }),
      );
      assert.match(await kubelet.sh(debug, "cat /proc/1/cmdline"), /to stdout/);
      await kubelet.call("RemoveContainer", { containerId: debug });
      assert.equal((await kubelet.status(app)).state, "CONTAINER_RUNNING");
    });

    it("a port of the pod is reached from the node", async () => {
      const { status } = await kubelet.call("PodSandboxStatus", { podSandboxId: podId });
      const fetched = ["busybox", "wget", "-q", "-O", "-", `http://${status.network?.ip}:8080/`];
      assert.equal((await node.host.run(fetched)).stdout, "served\n");
    });

    it("StopContainer: its signal, and SIGKILL when the time is over", async () => {
      await kubelet.call("StopContainer", { containerId: app, timeout: 60 });
      const stopped = await kubelet.status(app);
      assert.deepEqual(
        [stopped.state, stopped.exitCode, stopped.reason],
        ["CONTAINER_EXITED", 5, "Error"],
      );
      assert.match(logOf(config, "app"), / stdout F bye\n$/);
      const deaf = await kubelet.start(podId, config, container("deaf", FOREVER));
      await kubelet.call("StopContainer", { containerId: deaf, timeout: 1 });
      assert.equal((await kubelet.status(deaf)).exitCode, 137);
      for (const containerId of [app, deaf]) await kubelet.call("RemoveContainer", { containerId });
      await assert.rejects(kubelet.status(app), /NOT_FOUND/);
    });

    it("a container that ends, one whose program is not there", async () => {
      const done = await kubelet.start(podId, config, container("done", ["true"]));
      const { exitCode, reason } = await kubelet.ended(done);
      assert.deepEqual([exitCode, reason], [0, "Completed"]);
      const broken = await kubelet.create(podId, config, container("broken", ["nothing-such"]));
      await assert.rejects(
        kubelet.call("StartContainer", { containerId: broken }),
        /executable file not found/,
      );
      const { state, reason: why } = await kubelet.status(broken);
      assert.deepEqual([state, why], ["CONTAINER_EXITED", "StartError"]);
    });
  });

  it("StopPodSandbox ends all in it; RemovePodSandbox leaves nothing", async () => {
    const config = pod(node, "last");
    const podId = await kubelet.runPod(config, HANDLER);
    const id = await kubelet.start(podId, config, container("c", FOREVER));
    await kubelet.call("StopPodSandbox", { podSandboxId: podId });
    await kubelet.call("StopPodSandbox", { podSandboxId: podId });
    const { status } = await kubelet.call("PodSandboxStatus", { podSandboxId: podId });
    assert.equal(status.state, "SANDBOX_NOTREADY");
    assert.equal((await kubelet.status(id)).state, "CONTAINER_EXITED");
    await kubelet.call("RemovePodSandbox", { podSandboxId: podId });
    assert.deepEqual((await kubelet.call("ListPodSandbox", {})).items, []);
    assert.deepEqual((await kubelet.call("ListContainers", {})).containers, []);
    assert.deepEqual(await node.runtimeIds(), []);
    await until("no shim is left", async () =>
      /^$/.test((await node.host.run(["pidof", "containerd-shim-runc-v2"])).stdout),
    );
  });
});
