import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type NamespaceFacts, planNamespaces } from "../../../src/namespaces/index.ts";
import { type OpOf, type PlannedOp, SLOT_CWD, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciLinux } from "../../../src/spec/index.ts";

const OWN = Object.fromEntries(
  ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"].map((type) => [
    type,
    `4:${type}`,
  ]),
) as NamespaceFacts["own"];
const ADDRESS = {
  index: 7,
  family: 2,
  prefixLength: 24,
  address: Uint8Array.of(10, 0, 0, 5),
  local: Uint8Array.of(10, 0, 0, 5),
};
const FACTS: NamespaceFacts = {
  own: OWN,
  files: new Map([
    ["/run/netns/a", { kind: "namespace", id: "4:other" as never }],
    ["/proc/1/ns/net", { kind: "namespace", id: "4:network" as never }],
  ]),
  mayMapAnyId: true,
  netDevices: new Map([
    ["eth1", [ADDRESS]],
    ["eth2", []],
  ]),
};

function plan(netDevices: OciLinux["netDevices"], path?: string) {
  const network = { type: "network" as const, ...(path === undefined ? {} : { path }) };
  return planNamespaces({
    linux: { namespaces: [network], ...(netDevices ? { netDevices } : {}) },
    facts: FACTS,
    slots: new SlotAllocator(),
  });
}

function requests(ops: readonly PlannedOp[]): readonly OpOf<"netlink">[] {
  return ops.flatMap(({ op }) => (op.kind === "netlink" ? [op] : []));
}

describe("planNetDevices", () => {
  it("moves and renames in one request, then gives the addresses back and brings the interface up", () => {
    const { parent, child } = plan({ eth1: { name: "net0" } });
    const [move] = requests(parent);
    assert.deepEqual([move?.name, move?.indexAt, move?.netns], ["eth1", 20, SLOT_CWD]);
    assert.ok(Buffer.from(move?.message ?? []).includes("net0\0"));
    const inside = requests(child);
    assert.deepEqual(
      inside.map(({ message, name }) => [new DataView(message.buffer).getUint16(4, true), name]),
      [
        [20, "net0"],
        [16, "net0"],
      ],
    );
    assert.ok(Buffer.from(inside[0]?.message ?? []).includes(Buffer.from(ADDRESS.address)));
    assert.ok(parent.concat(child).some(({ origin }) => origin === 'linux.netDevices["eth1"]'));
  });

  it("moves into a joined network by its file, for the child is not there yet", () => {
    const { parent, host } = plan({ eth2: {} }, "/run/netns/a");
    const [move] = requests(parent);
    const opened = host.find(({ op }) => op.kind === "open" && op.path === "/run/netns/a")?.op;
    assert.equal(move?.netns, opened?.kind === "open" ? opened.out : undefined);
  });

  for (const [what, devices, path, origin] of [
    ["the host's own network", { eth1: {} }, "/proc/1/ns/net", "linux.netDevices"],
    ["an interface that is not there", { eth9: {} }, undefined, 'linux.netDevices["eth9"]'],
    ["a wrong name", { "a/b": {} }, undefined, 'linux.netDevices["a/b"]'],
    ["a wrong new name", { eth1: { name: "../x" } }, undefined, 'linux.netDevices["eth1"].name'],
    [
      "one name for two",
      { eth1: { name: "net0" }, eth2: { name: "net0" } },
      undefined,
      'linux.netDevices["eth2"].name',
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => plan(devices, path), { origin });
    });
  }
});
