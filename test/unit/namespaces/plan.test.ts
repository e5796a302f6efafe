import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cloneFailureHint,
  NAMESPACE_KINDS,
  NAMESPACE_TYPES,
  type NamespaceFacts,
  type NamespaceFile,
  type NamespaceId,
  type NamespacePlan,
  planNamespaces,
} from "../../../src/namespaces/index.ts";
import { type PlannedOp, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciIdMapping, OciLinux, OciNamespaceType } from "../../../src/spec/index.ts";

const OWN = Object.fromEntries(
  NAMESPACE_TYPES.map((type) => [type, `4:${type}` as NamespaceId]),
) as NamespaceFacts["own"];
const MAP: readonly OciIdMapping[] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const MAPS = { uidMappings: MAP, gidMappings: MAP };

function facts(files: Record<string, NamespaceFile> = {}, changes: Partial<NamespaceFacts> = {}) {
  return { own: OWN, files: new Map(Object.entries(files)), mayMapAnyId: true, ...changes };
}

/** Facts in which every path "/ns/TYPE" is a namespace of somebody else's. */
function others(): NamespaceFacts {
  const file = (type: string) =>
    ({ kind: "namespace", id: `4:other-${type}` as NamespaceId }) as const;
  return facts(Object.fromEntries(NAMESPACE_TYPES.map((type) => [`/ns/${type}`, file(type)])));
}

function plan(
  linux: Pick<OciLinux, "namespaces" | "uidMappings" | "gidMappings" | "timeOffsets">,
  rest: { hostname?: string; domainname?: string; facts?: NamespaceFacts } = {},
): NamespacePlan {
  return planNamespaces({ linux, facts: others(), slots: new SlotAllocator(), ...rest });
}

const fresh = (...types: OciNamespaceType[]) => types.map((type) => ({ type }));
const joined = (...types: OciNamespaceType[]) =>
  types.map((type) => ({ type, path: `/ns/${type}` }));

const FLAG_NAMES = new Map(
  NAMESPACE_TYPES.map((type) => [NAMESPACE_KINDS[type].flag as number, type]),
);

/** One word or two an op, so that an order can be read off. */
function brief({ op }: PlannedOp): string {
  switch (op.kind) {
    case "open":
      return `open ${op.path} ${op.out}`;
    case "setns":
      return `setns ${op.slot} ${FLAG_NAMES.get(op.flags)}`;
    case "unshare":
      return `unshare ${FLAG_NAMES.get(op.flags)}`;
    case "writeProc":
      return `${op.name} ${op.data.trim()}`;
    case "writeFile":
      return `${op.path} ${JSON.stringify(op.data)}`;
    case "linkUp":
    case "sethostname":
    case "setdomainname":
      return `${op.kind} ${op.name}`;
    default:
      return op.kind;
  }
}

function briefs({ host, parent, child }: NamespacePlan) {
  assert.ok(host.every(({ phase }) => phase === "host"));
  assert.ok(parent.every(({ phase }) => phase === "parent"));
  assert.ok(child.every(({ phase }) => phase === "child"));
  return { host: host.map(brief), parent: parent.map(brief), child: child.map(brief) };
}

const BECOME_ROOT = ["setgroups", "setresgid", "setresuid"];

describe("planNamespaces, new namespaces", () => {
  it("asks for nothing where nothing is listed", () => {
    const result = plan({ namespaces: [] });
    assert.equal(result.cloneFlags, 0);
    assert.deepEqual(briefs(result), { host: [], parent: [], child: [] });
  });

  it("leaves six to clone3, and unshares time in the stage and cgroup in the child", () => {
    const result = plan({ namespaces: fresh(...NAMESPACE_TYPES), ...MAPS }, { hostname: "box" });
    // CLONE_NEWIPC | NEWUTS | NEWNET | NEWNS | NEWPID | NEWUSER of linux/sched.h
    assert.equal(result.cloneFlags, 0x7c02_0000);
    assert.deepEqual(briefs(result), {
      host: ["proxy", "unshare time"],
      parent: ["gid_map 0 100000 65536", "uid_map 0 100000 65536"],
      child: [...BECOME_ROOT, "unshare cgroup", "linkUp lo", "sethostname box"],
    });
  });

  it("keeps the field each request comes from", () => {
    const result = plan({ namespaces: fresh("user", "network"), ...MAPS });
    const origins = [...result.parent, ...result.child].map(({ origin }) => origin);
    assert.deepEqual(origins, [
      "linux.gidMappings",
      "linux.uidMappings",
      ...BECOME_ROOT.map(() => "linux.namespaces[0]"),
      "linux.namespaces[1]",
    ]);
  });

  it("gives up setgroups first where ids cannot be mapped freely", () => {
    const result = plan(
      { namespaces: fresh("user"), ...MAPS },
      { facts: facts({}, { mayMapAnyId: false }) },
    );
    assert.equal(briefs(result).parent[0], "setgroups deny");
  });

  it("survives a map without id 0 and a denied setgroups", () => {
    const { child } = plan({ namespaces: fresh("user"), ...MAPS });
    assert.deepEqual(
      child.map(({ tolerate }) => tolerate),
      [["EPERM"], ["EINVAL"], ["EINVAL"]],
    );
  });

  it("sets a time namespace's clocks before anyone is in it", () => {
    const timeOffsets = { monotonic: { secs: -3, nanosecs: 500 }, boottime: { secs: 86_400 } };
    assert.deepEqual(briefs(plan({ namespaces: fresh("time"), timeOffsets })), {
      host: [
        "proxy",
        "unshare time",
        `/proc/self/timens_offsets "monotonic -3 500\\nboottime 86400 0\\n"`,
      ],
      parent: [],
      child: [],
    });
  });
});

describe("planNamespaces, joined namespaces", () => {
  it("lets the child join everything but pid while the user namespace is tsrun's", () => {
    const namespaces = joined("mount", "cgroup", "network", "pid", "uts", "ipc", "time");
    const result = plan({ namespaces });
    assert.equal(result.cloneFlags, 0);
    assert.deepEqual(briefs(result), {
      host: [
        "open /ns/ipc 0",
        "open /ns/uts 1",
        "open /ns/network 2",
        "open /ns/time 3",
        "open /ns/cgroup 4",
        "open /ns/mount 5",
        "open /ns/pid 6",
        "proxy",
        "setns 6 pid",
      ],
      parent: [],
      child: [
        "setns 0 ipc",
        "setns 1 uts",
        "setns 2 network",
        "setns 3 time",
        "setns 4 cgroup",
        "setns 5 mount",
      ],
    });
  });

  it("joins before the clone what a new user namespace has no rights in", () => {
    const namespaces = [...fresh("user"), ...joined("network", "cgroup", "mount")];
    assert.deepEqual(briefs(plan({ namespaces, ...MAPS })), {
      host: [
        "open /ns/network 0",
        "open /ns/cgroup 1",
        "open /ns/mount 2",
        "proxy",
        "setns 0 network",
        "setns 1 cgroup",
        "setns 2 mount",
      ],
      parent: ["gid_map 0 100000 65536", "uid_map 0 100000 65536"],
      child: BECOME_ROOT,
    });
  });

  it("joins a user namespace last, so that what is new belongs to it", () => {
    const namespaces = [...joined("user", "network", "mount", "cgroup"), ...fresh("pid")];
    const result = plan({ namespaces });
    assert.equal(result.cloneFlags, NAMESPACE_KINDS.pid.flag);
    assert.deepEqual(briefs(result), {
      host: [
        "open /ns/network 0",
        "open /ns/cgroup 1",
        "open /ns/mount 2",
        "open /ns/user 3",
        "proxy",
        "setns 0 network",
        "setns 2 mount",
        "setns 3 user",
      ],
      parent: [],
      child: ["setns 1 cgroup", ...BECOME_ROOT],
    });
  });

  it("takes maps beside a joined user namespace as its description", () => {
    assert.deepEqual(briefs(plan({ namespaces: joined("user"), ...MAPS })).parent, []);
  });

  it("does nothing for a path to a namespace that tsrun is in already", () => {
    const own = (type: OciNamespaceType) =>
      ({ kind: "namespace", id: OWN[type] as NamespaceId }) as const;
    const result = plan(
      { namespaces: joined("user", "network", "pid") },
      {
        facts: facts({
          "/ns/user": own("user"),
          "/ns/network": own("network"),
          "/ns/pid": own("pid"),
        }),
      },
    );
    assert.deepEqual(briefs(result), { host: [], parent: [], child: [] });
  });

  it("does not raise lo in a network that somebody else prepared", () => {
    assert.deepEqual(briefs(plan({ namespaces: joined("network") })).child, ["setns 0 network"]);
  });
});

describe("planNamespaces refuses", () => {
  const refusals: [string, () => unknown, { code?: string; origin: string; message: RegExp }][] = [
    [
      "a type that is listed twice",
      () => plan({ namespaces: fresh("pid", "uts", "pid") }),
      { origin: "linux.namespaces[2]", message: /already listed as linux.namespaces\[0\]/ },
    ],
    [
      "a type that does not exist",
      () => plan({ namespaces: [{ type: "net" as OciNamespaceType }] }),
      { origin: "linux.namespaces[0]", message: /no namespace type "net"/ },
    ],
    [
      "a type that the kernel lacks",
      () => {
        const { time: _, ...own } = OWN;
        return plan({ namespaces: fresh("time") }, { facts: facts({}, { own }) });
      },
      { code: "UNSUPPORTED", origin: "linux.namespaces[0]", message: /no time namespaces/ },
    ],
    [
      "a path where nothing is",
      () =>
        plan(
          { namespaces: [{ type: "network", path: "/gone" }] },
          { facts: facts({ "/gone": { kind: "unreachable", errno: "ENOENT" } }) },
        ),
      { origin: "linux.namespaces[0]", message: /cannot reach the network namespace "\/gone"/ },
    ],
    [
      "a path to some other file",
      () =>
        plan(
          { namespaces: [{ type: "uts", path: "/etc/passwd" }] },
          { facts: facts({ "/etc/passwd": { kind: "otherFile" } }) },
        ),
      { origin: "linux.namespaces[0]", message: /"\/etc\/passwd" is not a namespace file/ },
    ],
    [
      "a relative path",
      () =>
        plan(
          { namespaces: [{ type: "uts", path: "ns" }] },
          { facts: facts({ ns: { kind: "otherFile" } }) },
        ),
      { origin: "linux.namespaces[0]", message: /not absolute/ },
    ],
    [
      "maps without a user namespace",
      () => plan({ namespaces: [], ...MAPS }),
      { origin: "linux.gidMappings", message: /needs a user namespace/ },
    ],
    [
      "a user namespace without maps",
      () => plan({ namespaces: fresh("user"), gidMappings: MAP }),
      { origin: "linux.uidMappings", message: /needs linux.uidMappings/ },
    ],
    [
      "a wrong map",
      () =>
        plan({
          namespaces: fresh("user"),
          gidMappings: MAP,
          uidMappings: [...MAP, { containerID: 5, hostID: 0, size: 1 }],
        }),
      { origin: "linux.uidMappings[1]", message: /both map containerID 5/ },
    ],
    [
      "offsets without a new time namespace",
      () => plan({ namespaces: joined("time"), timeOffsets: { boottime: { secs: 1 } } }),
      { origin: "linux.timeOffsets", message: /needs a new time namespace/ },
    ],
    [
      "nanoseconds beyond a second",
      () => plan({ namespaces: fresh("time"), timeOffsets: { monotonic: { nanosecs: 1e9 } } }),
      { origin: "linux.timeOffsets.monotonic", message: /nanosecs is 1000000000/ },
    ],
    [
      "fractions of seconds",
      () => plan({ namespaces: fresh("time"), timeOffsets: { boottime: { secs: 0.5 } } }),
      { origin: "linux.timeOffsets.boottime", message: /secs is 0.5/ },
    ],
    [
      "a hostname that would rename the host",
      () => plan({ namespaces: fresh("pid") }, { hostname: "box" }),
      { origin: "hostname", message: /needs a UTS namespace/ },
    ],
    [
      "a domain name that is too long",
      () => plan({ namespaces: fresh("uts") }, { domainname: "é".repeat(33) }),
      { origin: "domainname", message: /66 bytes long/ },
    ],
  ];
  for (const [what, act, expected] of refusals) {
    it(what, () => assert.throws(act, { code: "INVALID_SPEC", ...expected }));
  }
});

describe("cloneFailureHint", () => {
  it("explains what the kernel's errno means for namespaces, and nothing else", () => {
    const flags = NAMESPACE_KINDS.user.flag | NAMESPACE_KINDS.pid.flag;
    assert.match(cloneFailureHint("ENOSPC", flags) ?? "", /max_\*_namespaces .*pid, user/);
    assert.match(cloneFailureHint("EPERM", flags) ?? "", /CAP_SYS_ADMIN/);
    assert.match(cloneFailureHint("EINVAL", flags) ?? "", /may lack/);
    assert.equal(cloneFailureHint("EAGAIN", flags), undefined);
    assert.equal(cloneFailureHint("EPERM", 0), undefined);
  });
});
