import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodePlan,
  type OpOf,
  type PlannedOp,
  type Slot,
  SlotAllocator,
} from "../../../src/plan/index.ts";
import { planRootfs, type RootfsFacts, type RootfsPlanInput } from "../../../src/rootfs/index.ts";
import type { OciLinux, OciMount, OciSpec } from "../../../src/spec/index.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];
const FACTS: RootfsFacts = {
  mountSetattr: true,
  overlayLowerAppend: true,
  nullDeviceIsGenuine: true,
  mayMakeDevices: true,
  cgroup2MountPoint: "/sys/fs/cgroup",
  selinux: false,
  sources: new Map([
    ["/host/dir", "directory"],
    ["/host/file", "file"],
  ]),
  deviceNodes: new Map(DEVICES.map((name) => [`/dev/${name}`, `/dev/${name}`])),
};
const OVERLAY = {
  kind: "overlay",
  lower: ["/layers/b", "/layers/a"],
  upper: { dir: "/c/upper", work: "/c/work" },
  options: ["volatile"],
  idMapped: false,
} as const;
const PROC: OciMount = { destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] };
/** The fields of ops that name a slot that must be filled. */
const USES = ["dir", "slot", "at", "from", "to", "fs", "valueSlot", "root", "userns"] as const;

interface Case {
  readonly mounts?: readonly OciMount[];
  readonly linux?: Partial<OciLinux>;
  readonly facts?: Partial<RootfsFacts>;
  readonly launch?: Partial<RootfsPlanInput["launch"]>;
  readonly terminal?: boolean;
  readonly readonly?: boolean;
  readonly userNamespace?: boolean;
}

function plan({ mounts = [], linux, facts, launch, terminal, readonly, userNamespace }: Case = {}) {
  const user = userNamespace ? [{ type: "user" } as const] : [];
  const spec: OciSpec = {
    ociVersion: "1.2.0",
    process: {
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: [],
      cwd: "/",
      terminal: terminal ?? false,
    },
    root: { path: "/unused", readonly: readonly ?? false },
    mounts,
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "pid" },
        { type: "network" },
        { type: "ipc" },
        { type: "cgroup" },
        ...user,
      ],
      ...(userNamespace ? { uidMappings: MAPS, gidMappings: MAPS } : {}),
      ...linux,
    },
  };
  return planRootfs({
    spec,
    launch: { root: OVERLAY, mountPoint: "/run/c/rootfs", daemon: false, ...launch },
    facts: { ...FACTS, ...facts },
    slots: new SlotAllocator(10),
  });
}

type Kind = PlannedOp["op"]["kind"];

function ofKind<K extends Kind>(ops: readonly PlannedOp[], kind: K): OpOf<K>[] {
  return ops.map(({ op }) => op).filter((op): op is OpOf<K> => op.kind === kind);
}

const all = (p: ReturnType<typeof plan>) => [...p.host, ...p.parent, ...p.child];

const SHARED_NAMESPACE = { type: "mount", path: "/proc/7/ns/mnt" } as const;

/** A container in a mount namespace that others made. */
function shared(change: Case = {}): Case {
  const linux = { namespaces: [SHARED_NAMESPACE], ...change.linux };
  return { launch: { root: { kind: "bind", path: "/some/root" } }, ...change, linux };
}

const SHARED_REFUSALS: readonly (readonly [field: string, change: Case])[] = [
  ["root.readonly", { readonly: true }],
  ["mounts", { mounts: [PROC] }],
  ["linux.devices", { linux: { devices: [{ type: "p", path: "/p" }] } }],
  ["linux.maskedPaths", { linux: { maskedPaths: ["/a"] } }],
  ["linux.readonlyPaths", { linux: { readonlyPaths: ["/a"] } }],
  ["linux.rootfsPropagation", { linux: { rootfsPropagation: "slave" } }],
  ["linux.mountLabel", { linux: { mountLabel: "label" } }],
  ["linux.sysctl", { linux: { sysctl: { "net.a": "1" } } }],
];

describe("planRootfs", () => {
  it("enters the root by chroot in a mount namespace that is not the container's, and mounts nothing", () => {
    const { host, parent, child, rootSlot } = plan(shared());
    assert.deepEqual([host, parent], [[], []]);
    assert.deepEqual(
      child.map(({ op }) => op.kind),
      ["open", "fchdir", "chroot"],
    );
    assert.equal(child[0]?.op.kind === "open" && child[0].op.out, rootSlot);
    const whole = plan(shared({ launch: { root: { kind: "bind", path: "/" } } }));
    assert.deepEqual(
      whole.child.map(({ op }) => op.kind),
      ["open", "fchdir"],
    );
  });

  it("copies a root directory as a slave where it is to receive the host's mounts, else privately", () => {
    const root = { kind: "bind", path: "/some/root" } as const;
    const propagation = (rootfsPropagation: string) =>
      plan({ launch: { root }, linux: { rootfsPropagation } }).host.flatMap(({ op }) =>
        op.kind === "mountSetattr" ? [op.propagation] : [],
      )[0];
    const [PRIVATE, SLAVE] = [1 << 18, 1 << 19];
    assert.equal(propagation("slave"), SLAVE);
    assert.equal(propagation("rslave"), SLAVE);
    assert.equal(propagation("private"), PRIVATE);
    assert.equal(propagation("shared"), PRIVATE);
  });

  it("looks where a link led before it mounts there: not into /proc", () => {
    const ops = plan({
      mounts: [PROC, { destination: "/data", type: "tmpfs" }],
    }).child;
    const checks = ops.filter(({ op }) => op.kind === "checkFs");
    assert.deepEqual(
      checks.map(({ op, origin }) => [origin, op.kind === "checkFs" && [op.magic, op.is]]),
      [["mounts[1]", [0x9fa0, false]]],
    );
    const at = ops.findIndex(({ op }) => op.kind === "checkFs");
    const mounted = ops.findIndex(
      ({ op, origin }) => op.kind === "mount" && origin === "mounts[1]",
    );
    assert.ok(at < mounted);
  });

  it("lets lxcfs cover a file of /proc", () => {
    const mounts: OciMount[] = [
      PROC,
      { destination: "/proc/meminfo", type: "bind", source: "/host/file" },
    ];
    assert.ok(!plan({ mounts }).child.some(({ op }) => op.kind === "checkFs"));
  });

  it("ends in the container's root: pivot, old root off, then read-only", () => {
    const { child } = plan({ readonly: true, linux: { rootfsPropagation: "rslave" } });
    assert.deepEqual(
      child.slice(-6).map(({ op }) => op.kind),
      ["fchdir", "pivotRoot", "umount", "chdir", "mountSetattr", "mountSetattr"],
    );
    assert.equal(child.at(-1)?.origin, "root.readonly");
  });

  it("mounts a short overlay with one mount(2), in the child", () => {
    const p = plan();
    const [root] = ofKind(p.child, "mount").filter(({ fstype }) => fstype === "overlay");
    assert.equal(
      root?.data,
      "lowerdir=/layers/b:/layers/a,upperdir=/c/upper,workdir=/c/work,volatile",
    );
    assert.deepEqual(p.host, []);
    assert.deepEqual(p.parent, [], "no round trip between the processes without need");
  });

  describe("with an upper on a file system of its own", () => {
    const AT = "/run/c/rootfs";
    const root = {
      ...OVERLAY,
      upper: { dir: `${AT}/upper`, work: `${AT}/work` },
      carrier: {
        at: AT,
        fstype: "tmpfs",
        source: "tmpfs",
        data: "size=4096",
        directories: [
          { path: `${AT}/upper`, mode: 0o755 },
          { path: `${AT}/work`, mode: 0o700 },
        ],
      },
    } as const;
    /** What concerns the root, as words. */
    const steps = (ops: readonly PlannedOp[]) =>
      ops
        .filter(({ origin }) => origin === "root.path")
        .map(({ op }) => {
          if (op.kind === "mount") return `mount ${op.fstype} ${op.target}`;
          if (op.kind === "mkdir") return `mkdir ${op.path} ${op.mode.toString(8)}`;
          return op.kind === "fsconfig" ? `${op.key} ${op.value}`.trim() : op.kind;
        });

    it("mounts that below the overlay, in the child alone", () => {
      const p = plan({ launch: { root } });
      assert.deepEqual(p.host, []);
      assert.deepEqual(steps(p.child).slice(0, 4), [
        `mount tmpfs ${AT}`,
        `mkdir ${AT}/upper 755`,
        `mkdir ${AT}/work 700`,
        `mount overlay ${AT}`,
      ]);
    });

    it("mounts it in a passing namespace where the overlay is made ahead", () => {
      const lower = Array.from({ length: 120 }, (_, i) => `/layers/${"x".repeat(60)}${i}`);
      const ops = steps(plan({ launch: { root: { ...root, lower } } }).host);
      const at = (step: string) => ops.indexOf(step);
      assert.ok(at("unshare") < at(`mount tmpfs ${AT}`));
      assert.ok(at(`mount tmpfs ${AT}`) < at(`upperdir ${AT}/upper`));
      assert.ok(at("fsmount") < at("setns"));
    });

    it("sees it through the container's id map, too", () => {
      const key = "u0:100000:65536;g0:100000:65536";
      const { host } = plan({
        userNamespace: true,
        launch: {
          root: { ...root, idMapped: true },
          idMapSlots: new Map([[key as never, 3 as Slot]]),
        },
      });
      const ops = steps(host);
      assert.ok(ops.includes(`mount tmpfs ${AT}/carrier`));
      assert.ok(ops.includes(`mkdir ${AT}/carrier/upper 755`));
      assert.ok(ofKind(host, "openTree").some(({ path }) => path === `${AT}/carrier`));
      assert.ok(ops.includes(`upperdir ${AT}/upper/upper`));
    });
  });

  it("gives layers one by one where they do not fit a page", () => {
    const lower = Array.from({ length: 120 }, (_, i) => `/layers/${"x".repeat(60)}${i}`);
    const p = plan({ launch: { root: { ...OVERLAY, lower } } });
    const given = ofKind(p.host, "fsconfig").filter(({ key }) => key === "lowerdir+");
    assert.deepEqual(
      given.map(({ value }) => value),
      lower,
    );
  });

  it("says what to do where the kernel cannot take so many layers", () => {
    const lower = Array.from({ length: 120 }, (_, i) => `/layers/${"x".repeat(60)}${i}`);
    assert.throws(
      () => plan({ launch: { root: { ...OVERLAY, lower } }, facts: { overlayLowerAppend: false } }),
      { code: "OVERLAY_UNSUPPORTED" },
    );
  });

  it("takes a lone layer without an upper as it is, read-only: it is no overlay for the kernel", () => {
    const p = plan({
      launch: { root: { kind: "overlay", lower: ["/l"], options: [], idMapped: false } },
    });
    assert.deepEqual(
      ofKind(all(p), "fsopen").filter(({ fstype }) => fstype === "overlay"),
      [],
    );
    assert.equal(ofKind(p.host, "openTree")[0]?.path, "/l");
    assert.ok(ofKind(p.host, "mountSetattr").some(({ attrSet }) => attrSet === 1));
  });

  it("has the stage back as it was after an id-mapped overlay", () => {
    const key = "u0:100000:65536;g0:100000:65536";
    const idMapSlots = new Map([[key as never, 3 as Slot]]);
    for (const daemon of [false, true]) {
      const { host } = plan({
        userNamespace: true,
        launch: { root: { ...OVERLAY, idMapped: true }, idMapSlots, daemon },
      });
      assert.deepEqual(
        ofKind(host, "setresuid").map(({ uid }) => uid),
        [100_000, 0],
      );
      assert.deepEqual(
        ofKind(host, "setresgid").map(({ gid }) => gid),
        [100_000, 0],
      );
      assert.equal(ofKind(host, "unshare").length, ofKind(host, "setns").length);
      const prctls = ofKind(host, "prctl").map(({ option, arg2 }) => [option, arg2]);
      const death = [1, 9]; // PR_SET_PDEATHSIG SIGKILL, which the change of ids took away
      assert.deepEqual(prctls, [[28, 4], [28, 0], ...(daemon ? [] : [death])]);
    }
  });

  it("goes to the mount point before clone only in a user namespace, and back", () => {
    const key = "u0:100000:65536;g0:100000:65536";
    const p = plan({
      userNamespace: true,
      launch: {
        root: { ...OVERLAY, idMapped: true },
        idMapSlots: new Map([[key as never, 3 as Slot]]),
      },
    });
    assert.deepEqual(p.host.at(-1)?.op, { kind: "chdir", path: "/run/c/rootfs" });
    assert.deepEqual(
      p.parent.map(({ op }) => op),
      [{ kind: "chdir", path: "/" }],
    );
  });

  it("binds the host's device nodes in a user namespace and makes them elsewhere", () => {
    const dev = { destination: "/dev", type: "tmpfs", source: "tmpfs" };
    const made = plan({ mounts: [dev] });
    assert.equal(ofKind(made.child, "mknod").length, DEVICES.length);
    const bound = plan({ mounts: [dev], facts: { mayMakeDevices: false } });
    assert.deepEqual(
      ofKind(bound.host, "openTree").map(({ path }) => path),
      DEVICES.map((name) => `/dev/${name}`),
    );
    assert.equal(ofKind(bound.child, "mknod").length, 0);
  });

  it("fills /dev before the mounts that lie in it", () => {
    const dev = { destination: "/dev", type: "tmpfs", source: "tmpfs" };
    const shm = { destination: "/dev/shm", type: "tmpfs", source: "shm" };
    const { child } = plan({ mounts: [dev, shm] });
    const lastNode = child.findLastIndex(({ op }) => op.kind === "mknod");
    const shmMount = child.findIndex(({ op }) => op.kind === "mount" && op.source === "shm");
    assert.ok(lastNode < shmMount);
  });

  it("makes nothing in a /dev that is bound from the host", () => {
    const { child } = plan({
      mounts: [{ destination: "/dev", type: "bind", source: "/host/dir", options: ["rbind"] }],
    });
    assert.deepEqual(ofKind(child, "mknod"), []);
    assert.deepEqual(ofKind(child, "symlink"), []);
  });

  it("binds what a user namespace may not mount: sysfs and mqueue of the host, cgroups without a namespace", () => {
    const mounts = [
      { destination: "/sys", type: "sysfs", source: "sysfs" },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue" },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" },
    ];
    const key = "u0:100000:65536;g0:100000:65536";
    const { host } = plan({
      userNamespace: true,
      mounts,
      linux: {
        namespaces: [{ type: "mount" }, { type: "pid" }, { type: "user" }],
        uidMappings: MAPS,
        gidMappings: MAPS,
      },
      launch: {
        root: { ...OVERLAY, idMapped: true },
        idMapSlots: new Map([[key as never, 3 as Slot]]),
      },
    });
    const bound = ofKind(host, "openTree").map(({ path }) => path);
    for (const path of ["/sys", "/dev/mqueue", "/sys/fs/cgroup"])
      assert.ok(bound.includes(path), path);
    const writable = host.filter(
      ({ op, origin }) => origin === "mounts[0]" && op.kind === "mountSetattr" && op.attrSet & 1,
    );
    assert.ok(writable.length > 0, "the host's /sys is read-only");
  });

  it("writes sysctls below a procfs of this launch, before anything is read-only", () => {
    const p = plan({
      mounts: [PROC],
      linux: { sysctl: { "net.ipv4.ip_forward": "1" }, readonlyPaths: ["/proc/sys"] },
    });
    const write = p.child.findIndex(({ op }) => op.kind === "writeFile");
    const readonly = p.child.findIndex(({ origin }) => origin === "linux.readonlyPaths[0]");
    assert.ok(write !== -1 && write < readonly);
    const [op] = ofKind(p.child, "writeFile");
    assert.equal(op?.path, "sys/net/ipv4/ip_forward");
    assert.equal(op?.dir, p.procSlot);
  });

  it("keeps a separator inside a sysctl's name", () => {
    const write = (name: string) =>
      ofKind(plan({ mounts: [PROC], linux: { sysctl: { [name]: "1" } } }).child, "writeFile")[0]
        ?.path;
    assert.equal(
      write("net.ipv4.conf.eth0/100.forwarding"),
      "sys/net/ipv4/conf/eth0.100/forwarding",
    );
    assert.equal(
      write("net/ipv4/conf/eth0.100/forwarding"),
      "sys/net/ipv4/conf/eth0.100/forwarding",
    );
  });

  it("stays inside a phase with every skip, whatever the kernel answers", () => {
    const p = plan({
      mounts: [PROC, { destination: "/dev", type: "tmpfs" }],
      linux: { maskedPaths: ["/proc/kcore", "/x"], readonlyPaths: ["/proc/sys", "/y"] },
    });
    for (const ops of [p.host, p.parent, p.child]) {
      for (const [index, { skipOk = 0, skipFailed = 0, tolerate = [] }] of ops.entries()) {
        assert.ok(index + 1 + Math.max(skipOk, skipFailed) <= ops.length, `op ${index}`);
        assert.ok(
          skipFailed === 0 || tolerate.length > 0,
          `op ${index} skips after no tolerated failure`,
        );
      }
    }
  });

  it("uses no slot before it is filled, nor after it is closed", () => {
    const key = "u0:100000:65536;g0:100000:65536";
    const mounts: OciMount[] = [
      PROC,
      { destination: "/dev", type: "tmpfs" },
      { destination: "/dev/pts", type: "devpts" },
      { destination: "/v", type: "bind", source: "/host/dir", options: ["rbind", "idmap"] },
      { destination: "/f", type: "bind", source: "/host/file", options: ["bind", "ro"] },
      { destination: "/t", type: "tmpfs", options: ["rshared"] },
    ];
    const p = plan({
      userNamespace: true,
      mounts,
      terminal: true,
      linux: { maskedPaths: ["/proc/keys"], readonlyPaths: ["/proc/sys"] },
      launch: {
        root: { ...OVERLAY, idMapped: true },
        idMapSlots: new Map([[key as never, 3 as Slot]]),
      },
    });
    const pty = 200 as Slot;
    const open = new Set<number>([3, -1, pty]);
    for (const { op } of [...all(p), ...p.attachConsole(pty)]) {
      const fields = op as unknown as Record<string, number | undefined>;
      const used = USES.flatMap((name) => fields[name] ?? []);
      for (const slot of used) assert.ok(open.has(slot), `${op.kind} uses slot ${slot}`);
      if (op.kind === "close") open.delete(op.slot);
      if (fields["out"] !== undefined) open.add(fields["out"]);
    }
  });

  it("fits the wire format", () => {
    const p = plan({ mounts: [PROC, { destination: "/dev", type: "tmpfs" }] });
    const lists = { argv: ["sh"], env: [], candidates: ["/bin/sh"] };
    encodePlan({
      ops: [...all(p), { op: { kind: "exec", lists }, phase: "child", origin: "process.args" }],
      cloneFlags: 0,
      cgroupSlot: -1 as Slot,
      inheritedFds: 10,
      supervision: {
        daemon: false,
        dieWithParent: true,
        childDiesWithStage: true,
        holdMounts: true,
        timings: false,
      },
    });
  });

  for (const [what, input, expected] of [
    [
      "an overlay in a mount namespace that is not the container's own",
      { linux: { namespaces: [] } },
      { code: "INVALID_SPEC", origin: "root.path" },
    ],
    ...SHARED_REFUSALS.map(
      ([field, change]) =>
        [
          `${field} in somebody else's mount namespace`,
          shared(change),
          { code: "INVALID_SPEC", origin: field },
        ] as const,
    ),
    [
      "a label for mounts where nobody enforces it",
      { linux: { mountLabel: "system_u:object_r:container_file_t:s0" } },
      { code: "UNSUPPORTED", origin: "linux.mountLabel" },
    ],
    [
      "a mount on the root",
      { mounts: [{ destination: "/..", type: "tmpfs" }] },
      { code: "INVALID_SPEC" },
    ],
    [
      "a mount inside /proc",
      { mounts: [{ destination: "//proc/./sys", type: "tmpfs" }] },
      { code: "INVALID_SPEC" },
    ],
    [
      "a missing source",
      { mounts: [{ destination: "/v", type: "bind", source: "/none" }] },
      { code: "NOT_FOUND", origin: "mounts[0]" },
    ],
    [
      "a relative source",
      { mounts: [{ destination: "/v", type: "bind", source: "host" }] },
      { code: "INVALID_SPEC" },
    ],
    [
      "a file system's option on a bind mount",
      { mounts: [{ destination: "/v", type: "bind", source: "/host/dir", options: ["size=1m"] }] },
      { code: "INVALID_SPEC" },
    ],
    [
      "sync on a bind mount",
      { mounts: [{ destination: "/v", type: "bind", source: "/host/dir", options: ["sync"] }] },
      { code: "INVALID_SPEC" },
    ],
    [
      "an id map on a new mount",
      {
        mounts: [{ destination: "/v", type: "tmpfs", options: ["idmap=uids=0-1-1;gids=0-1-1"] }],
        launch: { idMapSlots: new Map([["u0:1:1;g0:1:1" as never, 3 as Slot]]) },
      },
      { code: "INVALID_SPEC" },
    ],
    [
      "tmpcopyup that nobody prepared",
      { mounts: [{ destination: "/v", type: "tmpfs", options: ["tmpcopyup"] }] },
      { code: "UNSUPPORTED" },
    ],
    ["a mount without a type", { mounts: [{ destination: "/v" }] }, { code: "INVALID_SPEC" }],
    [
      "a terminal without devpts",
      { terminal: true },
      { code: "INVALID_SPEC", origin: "process.terminal" },
    ],
    [
      "a fake null device",
      { linux: { maskedPaths: ["/proc/keys"] }, facts: { nullDeviceIsGenuine: false } },
      { code: "UNSUPPORTED" },
    ],
    [
      "the machine's sysctl",
      { mounts: [PROC], linux: { sysctl: { "kernel.panic": "1" } } },
      { code: "INVALID_SPEC" },
    ],
    [
      "the host's network sysctl",
      {
        mounts: [PROC],
        linux: { namespaces: [{ type: "mount" }], sysctl: { "net.ipv4.ip_forward": "1" } },
      },
      { code: "INVALID_SPEC" },
    ],
    [
      "a sysctl that leads elsewhere",
      { mounts: [PROC], linux: { sysctl: { "net/../../self/attr": "1" } } },
      { code: "INVALID_SPEC" },
    ],
    [
      "an unknown propagation",
      { linux: { rootfsPropagation: "sideways" } },
      { code: "INVALID_SPEC" },
    ],
    [
      "a device without numbers",
      { linux: { devices: [{ path: "/dev/x", type: "c" }] } },
      { code: "INVALID_SPEC" },
    ],
    [
      "a relative masked path",
      { linux: { maskedPaths: ["proc/keys"] } },
      { code: "INVALID_SPEC", origin: "linux.maskedPaths[0]" },
    ],
  ] as readonly [string, Case, object][]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => plan(input), expected);
    });
  }
});
