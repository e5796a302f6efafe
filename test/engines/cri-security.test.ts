/** What pods ask of a runtime beyond their life: namespaces, terminals, security contexts and volumes, by CRI. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { container, FOREVER, logOf, pod } from "./cri/configs.ts";
import type { Kubelet } from "./cri/kubelet.ts";
import { CriNode, HANDLER, nodeUnavailable } from "./cri/node.ts";

describe("pods of containerd's CRI", { skip: nodeUnavailable() ?? false }, () => {
  let node: CriNode;
  let kubelet: Kubelet;

  before(async () => {
    node = await CriNode.open({ limits: false });
    kubelet = node.kubelet;
  });
  after(() => node[Symbol.asyncDispose]());

  it("a pod with one PID namespace for all its containers", async () => {
    const shared = { namespaceOptions: { pid: "POD" } } as const;
    const config = pod(node, "shared", { linux: { securityContext: shared } });
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
    const config = pod(node, "node-net", {
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
    const config = pod(node, "terminal");
    const podId = await kubelet.runPod(config, HANDLER);
    const shell = container("shell", ["sh"], { stdin: true, tty: true });
    const id = await kubelet.start(podId, config, shell);
    await using stream = await kubelet.attach(id, { tty: true });
    stream.type("tty; echo typed; exit 4\n");
    assert.equal((await kubelet.ended(id)).exitCode, 4);
    assert.match(stream.stdout, /\/dev\/pts\/0\r\ntyped/);
    assert.match(logOf(config, "shell"), /stdout F typed/);
    await kubelet.removePod(podId);
  });

  it("a security context: user, groups, capabilities, seccomp, paths, a read-only root", async () => {
    const config = pod(node, "restricted", {
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
    const config = pod(node, "privileged", { linux: { securityContext: privileged } });
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
    const config = pod(node, "volumes", { linux: { securityContext: privileged } });
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
});
