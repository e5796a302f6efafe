/**
 * containerd 1.6's CRI plugin, driven as a kubelet drives it, with tsrun-oci behind a RuntimeClass's
 * handler. Limits need the controllers of cgroup v2: cri-limits.test.ts.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Kubelet } from "./cri/kubelet.ts";
import type { ContainerConfig, PodConfig, SecurityContext } from "./cri/messages.ts";
import { CriNode, HANDLER, IMAGE, nodeUnavailable } from "./cri/node.ts";
import { RUNTIME, until } from "./private-host.ts";

/** What a kubelet sends for a container that is not privileged (kubernetes: pkg/securitycontext). */
const MASKED_PATHS = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const skip = nodeUnavailable();

describe("containerd's CRI", { skip: skip ?? false }, () => {
  let node: CriNode;
  let kubelet: Kubelet;

  before(async () => {
    node = await CriNode.open({ limits: false });
    kubelet = node.kubelet;
  });
  after(() => node[Symbol.asyncDispose]());

  function pod(name: string, changes: Partial<PodConfig> = {}): PodConfig {
    const logDirectory = node.host.file(`logs-${name}`);
    mkdirSync(logDirectory);
    return {
      metadata: { name, uid: `uid-${name}`, namespace: "default", attempt: 0 },
      ...{ hostname: name, logDirectory },
      linux: { securityContext: { namespaceOptions: { pid: "CONTAINER" } } },
      ...changes,
    };
  }

  function container(
    name: string,
    command: readonly string[],
    changes: Partial<ContainerConfig> & { readonly security?: SecurityContext } = {},
  ): ContainerConfig {
    const { security, ...config } = changes;
    return {
      metadata: { name, attempt: 0 },
      ...{ image: { image: IMAGE }, command, logPath: `${name}.log` },
      linux: {
        securityContext: {
          namespaceOptions: { pid: "CONTAINER" },
          ...{ maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS },
          ...security,
        },
      },
      ...config,
    };
  }

  const FOREVER = ["sleep", "1000000"];
  const ended = (id: string) =>
    until("it ends", async () => (await kubelet.status(id)).state === "CONTAINER_EXITED");
  const log = (config: PodConfig, name: string) =>
    readFileSync(`${config.logDirectory}/${name}.log`, "utf8");

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
    await assert.rejects(kubelet.runPod(pod("nowhere"), "nothing-such"), /nothing-such/);
  });

  describe("a pod", () => {
    let config: PodConfig;
    let podId: string;
    let app: string;

    before(async () => {
      config = pod("web-0", {
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
      await until("it logs", async () => lines.test(log(config, "app")));
      await until("it logs", async () => /^\S+ stderr F to stderr$/m.test(log(config, "app")));
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
      assert.match(log(config, "app"), / stdout F bye\n$/);
      const deaf = await kubelet.start(podId, config, container("deaf", FOREVER));
      await kubelet.call("StopContainer", { containerId: deaf, timeout: 1 });
      assert.equal((await kubelet.status(deaf)).exitCode, 137);
      for (const containerId of [app, deaf]) await kubelet.call("RemoveContainer", { containerId });
      await assert.rejects(kubelet.status(app), /NOT_FOUND/);
    });

    it("a container that ends, one whose program is not there", async () => {
      const done = await kubelet.start(podId, config, container("done", ["true"]));
      await ended(done);
      const { exitCode, reason } = await kubelet.status(done);
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

  it("a pod with one PID namespace for all its containers", async () => {
    const shared = { namespaceOptions: { pid: "POD" } } as const;
    const config = pod("shared", { linux: { securityContext: shared } });
    const podId = await kubelet.runPod(config, HANDLER);
    const one = await kubelet.start(podId, config, container("one", FOREVER, { security: shared }));
    const two = await kubelet.start(podId, config, container("two", FOREVER, { security: shared }));
    assert.match(
      await kubelet.sh(two, "ps -o pid,args"),
      /^ *1 sleep infinity\n(.*\n)*.*sleep 1000000/m,
    );
    await kubelet.call("StopContainer", { containerId: one, timeout: 0 });
    assert.equal((await kubelet.status(two)).state, "CONTAINER_RUNNING");
    await kubelet.removePod(podId);
  });

  it("a pod in the node's network", async () => {
    const options = { network: "NODE", pid: "CONTAINER" } as const;
    const config = pod("node-net", {
      hostname: "", // so a kubelet says that it is the node's
      linux: { securityContext: { namespaceOptions: options } },
    });
    const podId = await kubelet.runPod(config, HANDLER);
    const id = await kubelet.start(
      podId,
      config,
      container("c", FOREVER, { security: { namespaceOptions: options } }),
    );
    const names = "readlink /proc/self/ns/net; hostname";
    const nodes = await node.host.run(["sh", "-c", names]);
    assert.equal(await kubelet.sh(id, names), nodes.stdout.trim());
    await kubelet.removePod(podId);
  });

  it("a terminal, and Attach to it", async () => {
    const config = pod("terminal");
    const podId = await kubelet.runPod(config, HANDLER);
    const shell = container("shell", ["sh"], { stdin: true, tty: true });
    const id = await kubelet.start(podId, config, shell);
    await using stream = await kubelet.attach(id, { tty: true });
    stream.type("tty; echo typed; exit 4\n");
    await ended(id);
    assert.equal((await kubelet.status(id)).exitCode, 4);
    assert.match(stream.stdout, /\/dev\/pts\/0\r\ntyped/);
    assert.match(log(config, "shell"), /stdout F typed/);
    await kubelet.removePod(podId);
  });

  it("a security context: user, groups, capabilities, seccomp, paths, a read-only root", async () => {
    const config = pod("restricted", {
      linux: {
        sysctls: { "net.ipv4.ip_unprivileged_port_start": "1000" },
        securityContext: { namespaceOptions: { pid: "CONTAINER" } },
      },
    });
    const podId = await kubelet.runPod(config, HANDLER);
    const restricted = container("c", FOREVER, {
      workingDir: "/tmp",
      envs: [{ key: "WHO", value: "me" }],
      security: {
        ...{ runAsUser: { value: 1000 }, runAsGroup: { value: 2000 }, supplementalGroups: [3000] },
        ...{ readonlyRootfs: true, noNewPrivs: true },
        capabilities: { addCapabilities: ["NET_BIND_SERVICE"], dropCapabilities: ["ALL"] },
        seccomp: { profileType: "RuntimeDefault" },
      },
    });
    const id = await kubelet.start(podId, config, restricted);
    assert.equal(await kubelet.sh(id, "id -u; id -g; pwd; echo $WHO"), "1000\n2000\n/tmp\nme");
    assert.match(await kubelet.sh(id, "id -G"), /\b3000\b/);
    const status = await kubelet.sh(id, "cat /proc/1/status");
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1];
    assert.deepEqual(["CapBnd", "NoNewPrivs", "Seccomp"].map(field), [
      "0000000000000400",
      "1",
      "2",
    ]);
    assert.match((await kubelet.execSync(id, "touch", "/made")).stderr, /Read-only file system/);
    assert.equal(await kubelet.sh(id, "wc -c < /proc/keys"), "0");
    assert.equal(await kubelet.sh(id, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "1000");
    const writes = await kubelet.execSync(
      id,
      "sh",
      "-c",
      "echo 1 > /proc/sys/vm/overcommit_memory",
    );
    assert.match(writes.stderr, /Read-only file system/);
    await kubelet.removePod(podId);
  });

  it("a privileged container: all capabilities, no filter, nothing masked, the node's devices", async () => {
    const privileged = { privileged: true, namespaceOptions: { pid: "CONTAINER" } } as const;
    const config = pod("privileged", { linux: { securityContext: privileged } });
    const podId = await kubelet.runPod(config, HANDLER);
    const security = { ...privileged, maskedPaths: [], readonlyPaths: [] };
    const id = await kubelet.start(podId, config, container("c", FOREVER, { security }));
    const status = await kubelet.sh(id, "cat /proc/1/status");
    assert.match(status, /^Seccomp:\s+0$/m);
    assert.equal(
      await kubelet.sh(id, "mkdir /m; mount -t tmpfs tmpfs /m; echo mounted"),
      "mounted",
    );
    assert.doesNotMatch(await kubelet.sh(id, "cat /proc/mounts"), / \/proc\/(keys|sys) /);
    await kubelet.sh(id, "test -c /dev/kmsg || test -e /dev/loop-control || test -c /dev/fuse");
    await kubelet.removePod(podId);
  });

  it("volumes: read-only, and mounts that propagate in either direction", async () => {
    const volume = node.host.file("volume");
    const onNode = async (script: string) => {
      const { status, stdout, stderr } = await node.host.run(["sh", "-ec", script]);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    await onNode(
      `mkdir ${volume}; mount -t tmpfs tmpfs ${volume}; mount --make-shared ${volume}; mkdir ${volume}/in ${volume}/out; echo data > ${volume}/file`,
    );
    const privileged = { privileged: true, namespaceOptions: { pid: "CONTAINER" } } as const;
    const config = pod("volumes", { linux: { securityContext: privileged } });
    const podId = await kubelet.runPod(config, HANDLER);
    const mount = (containerPath: string, changes: object) => ({
      ...{ containerPath, hostPath: volume, ...changes },
    });
    const reader = await kubelet.start(
      podId,
      config,
      container("reader", FOREVER, {
        mounts: [
          mount("/slave", { propagation: "PROPAGATION_HOST_TO_CONTAINER" }),
          mount("/private", { readonly: true }),
        ],
      }),
    );
    const writer = await kubelet.start(
      podId,
      config,
      container("writer", FOREVER, {
        mounts: [mount("/both", { propagation: "PROPAGATION_BIDIRECTIONAL" })],
        security: privileged,
      }),
    );
    assert.equal(await kubelet.sh(reader, "cat /slave/file /private/file"), "data\ndata");
    assert.match((await kubelet.execSync(reader, "touch", "/private/x")).stderr, /Read-only/);
    await onNode(`mount -t tmpfs tmpfs ${volume}/in; echo late > ${volume}/in/file`);
    assert.equal(await kubelet.sh(reader, "cat /slave/in/file; ls /private/in"), "late");
    await kubelet.sh(writer, "mount -t tmpfs tmpfs /both/out; echo made > /both/out/file");
    assert.equal(await onNode(`cat ${volume}/out/file`), "made\n");
    assert.equal(await kubelet.sh(reader, "cat /slave/out/file"), "made");
    await kubelet.removePod(podId);
    await onNode(`umount -R ${volume}`);
  });

  it("StopPodSandbox ends all in it; RemovePodSandbox leaves nothing", async () => {
    const config = pod("last");
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
