/**
 * A Swarm of two Docker 20.10 daemons, each on a private host, with tsrun-oci as the default runtime of
 * both. Services are found by DNS ("dnsrr") or at a port of the node ("mode=host"): a virtual address and
 * the ingress network take the kernel's IPVS, which the machine may lack.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runProgram } from "../support/cli.ts";
import { dockerUnavailable, startDocker } from "./docker-daemon.ts";
import { importableImage } from "./image.ts";
import { type Client, PrivateHost, until } from "./private-host.ts";

const IMAGE = "busybox:test";
const NODES = ["manager", "worker"] as const;
type Node = (typeof NODES)[number];
const ADDRESS = { manager: "192.168.250.1", worker: "192.168.250.2" } as const;

describe("Docker Swarm", { skip: dockerUnavailable() ?? false }, () => {
  const hosts = {} as Record<Node, PrivateHost>;
  const dockers = {} as Record<Node, Client>;
  let manager: Client;

  before(async () => {
    await Promise.all(
      NODES.map(async (node) => {
        hosts[node] = await PrivateHost.open();
        await hosts[node].run(["hostname", node]);
      }),
    );
    await hosts.manager.connect(hosts.worker, "cable");
    await Promise.all(NODES.map(start));
    manager = dockers.manager;
    // A node is down when it misses three heartbeats.
    const pace = "--dispatcher-heartbeat=1s";
    await manager.ok("swarm", "init", `--advertise-addr=${ADDRESS.manager}`, pace);
    const token = await manager.ok("swarm", "join-token", "--quiet", "worker");
    const join = [`--token=${token}`, `--advertise-addr=${ADDRESS.worker}`];
    await dockers.worker.ok("swarm", "join", ...join, `${ADDRESS.manager}:2377`);
    await manager.ok("network", "create", "--driver=overlay", "--attachable", "net");
  });
  after(() => Promise.all(Object.values(hosts).map((host) => host[Symbol.asyncDispose]())));

  async function start(node: Node): Promise<void> {
    const host = hosts[node];
    const address = `ip addr add ${ADDRESS[node]}/24 dev cable && ip link set cable up`;
    assert.equal((await host.run(["sh", "-c", address])).status, 0);
    dockers[node] = await startDocker(host);
    await dockers[node].ok("load", "--input", await importableImage(host, IMAGE));
  }

  /** What says which version of itself it is, and where it runs. */
  const PROGRAM = [
    ...["sh", "-c", "echo $VERSION of $(hostname) > /www/index.html; exec httpd -f -h /www"],
  ];
  const COMMON = [
    "--detach",
    "--no-resolve-image",
    "--stop-signal=SIGKILL",
    "--restart-delay=0s",
    "--mount=type=tmpfs,target=/www",
  ];

  /** The nodes of the tasks that run and are to run. */
  async function running(service: string): Promise<string[]> {
    const ids = await manager.ok(
      "service",
      "ps",
      service,
      "--filter=desired-state=running",
      "--quiet",
    );
    if (ids === "") return [];
    const format = "{{.Status.State}} {{.NodeID}}";
    const lines = (await manager.ok("inspect", `--format=${format}`, ...ids.split("\n"))).split(
      "\n",
    );
    return lines
      .map((line) => line.split(" "))
      .filter(([state]) => state === "running")
      .map(([, node = ""]) => node);
  }

  const become = (service: string, count: number) =>
    until(`${service} is ${count}`, async () => (await running(service)).length === count);
  const onNodes = async (service: string) => new Set(await running(service)).size;

  it("two nodes are ready", async () => {
    await until("both are", async () => {
      const shown = await manager.ok("node", "ls", "--format={{.Hostname}} {{.Status}}");
      return shown.split("\n").sort().join() === "manager Ready,worker Ready";
    });
  });

  it("a replicated service runs on both, by tsrun-oci", async () => {
    const options = [...COMMON, "--name=web", "--replicas=2", "--env=VERSION=one"];
    const network = ["--network=net", "--endpoint-mode=dnsrr"];
    await manager.ok("service", "create", ...options, ...network, IMAGE, ...PROGRAM);
    await become("web", 2);
    assert.equal(await onNodes("web"), 2);
    for (const docker of Object.values(dockers)) {
      const id = await docker.ok("ps", "--quiet");
      assert.equal(await docker.ok("inspect", "--format={{.HostConfig.Runtime}}", id), "tsrun");
    }
  });

  /** The lines that the service's tasks answer with, as seen from a container on the node. */
  async function answers(node: Node, service: string): Promise<string[]> {
    const script = `nslookup -type=a tasks.${service}. | sed -n '/^Name/{n;s/.* //p}' | sort -u | while read a; do timeout 5 wget -q -O - http://$a/ || true; done`;
    const all = await dockers[node].ok("run", "--rm", "--network=net", IMAGE, "sh", "-c", script);
    return all.split("\n");
  }

  it("scale up: all tasks are found by name, and reached, from either node", async () => {
    await manager.ok("service", "scale", "--detach", "web=4");
    await become("web", 4);
    for (const node of NODES) {
      await until(`all four answer on the ${node}`, async () => {
        const lines = await answers(node, "web");
        return new Set(lines).size === 4 && lines.every((line) => line.startsWith("one of "));
      });
    }
  });

  it("scale down", async () => {
    await manager.ok("service", "scale", "--detach", "web=2");
    await become("web", 2);
    await until("the others are gone", async () => {
      const counts = await Promise.all(
        Object.values(dockers).map(async (docker) =>
          (await docker.ok("ps", "--quiet")).split("\n"),
        ),
      );
      return counts.flat().filter((id) => id !== "").length === 2;
    });
  });

  it("a rolling update, and its rollback", async () => {
    const done = (state: string) =>
      until(`the update is ${state}`, async () => {
        const shown = await manager.ok(
          "service",
          "inspect",
          "web",
          "--format={{.UpdateStatus.State}}",
        );
        return shown === state;
      });
    const versions = async () =>
      [...new Set((await answers("manager", "web")).map((line) => line.split(" ")[0]))].join();
    const pace = ["--update-parallelism=1", "--update-monitor=1s", "--update-order=start-first"];
    const back = ["--rollback-monitor=1s", "--rollback-order=start-first"];
    await manager.ok(
      "service",
      "update",
      "--detach",
      ...pace,
      ...back,
      "--env-add=VERSION=two",
      "web",
    );
    await done("completed");
    await until("all are of the second version", async () => (await versions()) === "two");
    await manager.ok("service", "rollback", "--detach", "web");
    await done("rollback_completed");
    await until("all are of the first version", async () => (await versions()) === "one");
    await become("web", 2);
  });

  it("a global service with a secret and a port of the node", async () => {
    const [command, ...args] = manager.argv("secret", "create", "password", "-");
    assert.equal((await runProgram(command, args, { input: "hush" })).status, 0);
    const options = [...COMMON, "--name=front", "--mode=global", "--secret=password"];
    const port = "--publish=mode=host,target=80,published=8080";
    const program = ["sh", "-c", "cp /run/secrets/password /www/index.html; exec httpd -f -h /www"];
    await manager.ok("service", "create", ...options, port, IMAGE, ...program);
    await become("front", 2);
    for (const node of NODES) {
      const fetch = ["busybox", "wget", "-q", "-O", "-", `http://${ADDRESS[node]}:8080/`];
      await until(
        `the ${node}'s port answers`,
        async () => (await manager.host.run(fetch)).stdout === "hush",
      );
    }
    await manager.ok("service", "rm", "front");
  });

  it("a node is killed, and its tasks move to the other", async () => {
    await manager.ok("service", "scale", "--detach", "web=4");
    await become("web", 4);
    assert.equal(await onNodes("web"), 2);
    await hosts.worker[Symbol.asyncDispose]();
    await until("the manager has them all", async () => {
      const tasks = await running("web");
      return tasks.length === 4 && new Set(tasks).size === 1;
    });
    await until("all four answer", async () => new Set(await answers("manager", "web")).size === 4);
    assert.equal(
      await manager.ok("node", "ls", "--filter=name=worker", "--format={{.Status}}"),
      "Down",
    );
  });
});
