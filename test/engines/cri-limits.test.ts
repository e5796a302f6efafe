// @vm
/** What a kubelet asks of a container's cgroup, through containerd's CRI plugin and tsrun-oci. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { cgroup2MountPoint } from "../support/host.ts";
import type { Kubelet } from "./cri/kubelet.ts";
import type { ContainerConfig, PodConfig, Resources } from "./cri/messages.ts";
import { CriNode, HANDLER, IMAGE, nodeUnavailable } from "./cri/node.ts";

const MIB = 1024 * 1024;
const CONTROLLERS = ["cpu", "memory", "pids"];

function unavailable(): string | undefined {
  const missing = nodeUnavailable();
  if (missing !== undefined) return missing;
  const there = readFileSync(`${cgroup2MountPoint()}/cgroup.controllers`, "utf8").trim().split(" ");
  const lacking = CONTROLLERS.filter((name) => !there.includes(name));
  return lacking.length === 0 ? undefined : `needs cgroup v2's ${lacking.join(", ")}`;
}

describe("limits of containerd's CRI", { skip: unavailable() ?? false }, () => {
  const POD_CGROUP = "/kubepods/burstable/pod-limited";
  let node: CriNode;
  let kubelet: Kubelet;
  let config: PodConfig;
  let podId: string;

  before(async () => {
    node = await CriNode.open({ limits: true });
    kubelet = node.kubelet;
    const logDirectory = node.host.file("logs");
    mkdirSync(logDirectory);
    config = {
      metadata: { name: "limited", uid: "uid-limited", namespace: "default" },
      ...{ hostname: "limited", logDirectory },
      linux: {
        cgroupParent: POD_CGROUP,
        securityContext: { namespaceOptions: { pid: "CONTAINER" } },
      },
    };
    podId = await kubelet.runPod(config, HANDLER);
  });
  after(() => node[Symbol.asyncDispose]());

  const container = (name: string, command: string[], resources: Resources): ContainerConfig => ({
    ...{ metadata: { name }, image: { image: IMAGE }, command, logPath: `${name}.log` },
    linux: { resources, securityContext: { namespaceOptions: { pid: "CONTAINER" } } },
  });
  const read = (id: string, file: string) =>
    readFileSync(node.host.cgroupFile(`${POD_CGROUP}/${id}/${file}`), "utf8").trim();

  it("the resources of a container below its pod's cgroup, and UpdateContainerResources", async () => {
    const id = await kubelet.start(
      podId,
      config,
      container("app", ["sh", "-c", "while :; do sleep 0.1; done"], {
        ...{ cpuPeriod: 100_000, cpuQuota: 50_000, cpuShares: 512, oomScoreAdj: 900 },
        ...{ memoryLimitInBytes: 64 * MIB, unified: { "memory.low": String(8 * MIB) } },
      }),
    );
    assert.equal(read(id, "cpu.max"), "50000 100000");
    assert.equal(read(id, "memory.max"), String(64 * MIB));
    assert.equal(read(id, "memory.low"), String(8 * MIB));
    const weight = Number(read(id, "cpu.weight"));
    assert.ok(weight > 1 && weight < 100, `cpu.weight is ${weight}`);
    assert.equal(await kubelet.sh(id, "cat /proc/1/oom_score_adj"), "900");
    assert.equal(await kubelet.sh(id, "cat /sys/fs/cgroup/memory.max"), String(64 * MIB));

    await kubelet.call("UpdateContainerResources", {
      containerId: id,
      linux: {
        cpuPeriod: 100_000,
        cpuQuota: 20_000,
        cpuShares: 1024,
        memoryLimitInBytes: 96 * MIB,
      },
    });
    assert.equal(read(id, "cpu.max"), "20000 100000");
    assert.equal(read(id, "memory.max"), String(96 * MIB));
    assert.ok(Number(read(id, "cpu.weight")) > weight);

    const { stats } = await kubelet.call("ContainerStats", { containerId: id });
    assert.ok(BigInt(stats.cpu?.usageCoreNanoSeconds?.value ?? 0) > 0n);
    const used = Number(stats.memory?.workingSetBytes?.value ?? 0);
    assert.ok(used > 0 && used < 96 * MIB, `it works with ${used} bytes`);
    await kubelet.call("StopContainer", { containerId: id, timeout: 0 });
  });

  it("what takes more memory than its limit is OOMKilled", async () => {
    const eater = container("eater", ["sh", "-c", "x=x; while :; do x=$x$x; done"], {
      memoryLimitInBytes: 16 * MIB,
      unified: { "memory.swap.max": "0" },
    });
    const id = await kubelet.start(podId, config, eater);
    const { exitCode, reason } = await kubelet.ended(id);
    assert.deepEqual([exitCode, reason], [137, "OOMKilled"]);
  });
});
