import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { parseProcess, parseResources, parseSpec } from "../../../src/spec/index.ts";
import { fullConfig } from "../../support/full-config.ts";

const BUNDLE = "/bundle";

type Json = Record<string, unknown>;

/** The smallest configuration that there is, with a change. */
function minimal(change: Json = {}): string {
  return JSON.stringify({
    ociVersion: "1.2.0",
    process: { user: { uid: 0, gid: 0 }, args: ["true"], cwd: "/" },
    root: { path: "rootfs" },
    ...change,
  });
}

function withProcess(change: Json): string {
  return minimal({ process: { user: { uid: 0, gid: 0 }, args: ["true"], cwd: "/", ...change } });
}

function withLinux(linux: Json): string {
  return minimal({ linux });
}

function refusal(json: string): TsrunError {
  try {
    parseSpec(json, { bundle: BUNDLE });
  } catch (error) {
    assert.ok(error instanceof TsrunError, `a bug, not a refusal: ${(error as Error).stack}`);
    return error;
  }
  assert.fail(`accepted: ${json}`);
}

describe("parseSpec", () => {
  it("reads every field of the specification and loses none", () => {
    const config = fullConfig();
    const { value, warnings } = parseSpec(JSON.stringify(config), { bundle: BUNDLE });
    assert.deepEqual(warnings, []);
    assert.deepEqual(value, config);
  });

  it("fills in what may be left out: no environment, no mounts, no namespaces, root", () => {
    const { value } = parseSpec(
      JSON.stringify({
        ociVersion: "1.0.2-dev",
        process: { args: ["true"], cwd: "/" },
        root: { path: "/r" },
      }),
      { bundle: BUNDLE },
    );
    assert.deepEqual(value, {
      ociVersion: "1.0.2-dev",
      process: { args: ["true"], cwd: "/", env: [], user: { uid: 0, gid: 0 } },
      root: { path: "/r" },
      mounts: [],
      linux: { namespaces: [] },
    });
  });

  it("takes null and an empty text for what is not there, as Go's programs write it", () => {
    const { value, warnings } = parseSpec(
      minimal({
        hostname: "",
        mounts: null,
        hooks: { prestart: null },
        linux: {
          namespaces: [{ type: "pid", path: "" }],
          resources: { pids: {}, cpu: { cpus: "", shares: null }, devices: null },
          seccomp: null,
          cgroupsPath: "",
        },
      }),
      { bundle: BUNDLE },
    );
    assert.deepEqual(value.linux, { namespaces: [{ type: "pid" }], resources: { cpu: {} } });
    assert.deepEqual([value.hostname, value.mounts, value.hooks], [undefined, [], {}]);
    assert.deepEqual(warnings, []);
  });

  it("takes relative paths of the bundle from there", () => {
    const { value, warnings } = parseSpec(
      minimal({
        root: { path: "rootfs" },
        mounts: [
          { destination: "/a", type: "bind", source: "data", options: ["ro"] },
          { destination: "/b", type: "none", source: "../x", options: ["rbind"] },
          { destination: "/c", type: "tmpfs", source: "tmpfs" },
          { destination: "d", type: "tmpfs" },
        ],
      }),
      { bundle: BUNDLE },
    );
    assert.equal(value.root.path, "/bundle/rootfs");
    assert.deepEqual(
      value.mounts.map(({ source, destination }) => [source, destination]),
      [
        ["/bundle/data", "/a"],
        ["/x", "/b"],
        ["tmpfs", "/c"],
        [undefined, "/d"],
      ],
    );
    assert.deepEqual(warnings, [
      'mounts[3].destination "d" is not absolute: it is taken below "/"',
    ]);
  });

  it("passes over what the specification does not know, and says so", () => {
    const { warnings } = parseSpec(
      minimal({
        extra: 1,
        linux: { namespaces: [{ type: "pid", colour: "red" }], "a b": 1 },
      }),
      { bundle: BUNDLE },
    );
    assert.deepEqual(warnings, [
      "extra is not known to tsrun and has no effect",
      "linux.namespaces[0].colour is not known to tsrun and has no effect",
      'linux["a b"] is not known to tsrun and has no effect',
    ]);
  });

  it("keeps 64-bit values of seccomp rules whole, and limits of 2^64-1 as none", () => {
    const json = withLinux({
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [
          {
            names: ["clone"],
            action: "SCMP_ACT_ERRNO",
            args: [{ index: 0, op: "SCMP_CMP_EQ", value: "@" }],
          },
        ],
      },
    }).replace('"@"', "18446744073709551615");
    const rule = parseSpec(json, { bundle: BUNDLE }).value.linux.seccomp?.syscalls?.[0];
    assert.equal(rule?.args?.[0]?.value, 2n ** 64n - 1n);

    const limits = withProcess({
      rlimits: [{ type: "RLIMIT_NOFILE", soft: "@", hard: "@" }],
    }).replaceAll('"@"', "18446744073709551615");
    assert.deepEqual(parseSpec(limits, { bundle: BUNDLE }).value.process.rlimits, [
      { type: "RLIMIT_NOFILE", soft: -1, hard: -1 },
    ]);
  });

  it("takes a swappiness of 2^64-1, Docker's -1, for none", () => {
    const json = withLinux({ resources: { memory: { swappiness: "@" } } });
    const { value } = parseSpec(json.replace('"@"', "18446744073709551615"), { bundle: BUNDLE });
    assert.deepEqual(value.linux.resources, { memory: {} });
  });

  it("keeps names that JavaScript has plans for as data", () => {
    const json = minimal({ annotations: { a: "b" } }).replace('"a":"b"', '"__proto__":"b"');
    const { value } = parseSpec(json, { bundle: BUNDLE });
    assert.deepEqual(Object.entries(value.annotations ?? {}), [["__proto__", "b"]]);
  });

  const REFUSED: readonly (readonly [field: string, json: string])[] = [
    ["ociVersion", minimal({ ociVersion: "one" })],
    ["ociVersion", minimal({ ociVersion: "2.0.0" })],
    ["ociVersion", minimal({ ociVersion: undefined })],
    ["process", minimal({ process: undefined })],
    ["root", minimal({ root: undefined })],
    ["root.path", minimal({ root: {} })],
    ["root.readonly", minimal({ root: { path: "r", readonly: "yes" } })],
    ["windows", minimal({ windows: {} })],
    ["vm", minimal({ vm: {} })],
    ["process.args", withProcess({ args: [] })],
    ["process.args[0]", withProcess({ args: [""] })],
    ["process.args[1]", withProcess({ args: ["a", "b\0"] })],
    ["process.cwd", withProcess({ cwd: "here" })],
    ["process.cwd", withProcess({ cwd: undefined })],
    ["process.env[0]", withProcess({ env: ["NAME"] })],
    ["process.env[0]", withProcess({ env: ["=value"] })],
    ["process.commandLine", withProcess({ commandLine: "dir" })],
    ["process.user.username", withProcess({ user: { uid: 0, gid: 0, username: "me" } })],
    ["process.user.uid", withProcess({ user: { uid: -1, gid: 0 } })],
    ["process.user.uid", withProcess({ user: { uid: 4_294_967_295, gid: 0 } })],
    ["process.user.umask", withProcess({ user: { uid: 0, gid: 0, umask: 512 } })],
    ["process.user.additionalGids[0]", withProcess({ user: { additionalGids: [1.5] } })],
    ["process.rlimits[1].type", withProcess({ rlimits: twice({ type: "A", soft: 1, hard: 1 }) })],
    ["process.rlimits[0].soft", withProcess({ rlimits: [{ type: "A", soft: 2, hard: 1 }] })],
    ["process.oomScoreAdj", withProcess({ oomScoreAdj: 1001 })],
    ["process.ioPriority.priority", withProcess({ ioPriority: { class: "X", priority: 8 } })],
    ["process.execCPUAffinity.final", withProcess({ execCPUAffinity: { final: "0-x" } })],
    ["process.capabilities.bounding[0]", withProcess({ capabilities: { bounding: [1] } })],
    ["process.terminal", withProcess({ terminal: 1 })],
    ["process.consoleSize.height", withProcess({ consoleSize: { width: 1 } })],
    ["mounts[0].destination", minimal({ mounts: [{ type: "tmpfs" }] })],
    ["mounts[0].options[0]", minimal({ mounts: [{ destination: "/a", options: [7] }] })],
    ["hooks.prestart[0].path", minimal({ hooks: { prestart: [{ path: "relative" }] } })],
    ["hooks.poststop[0].timeout", minimal({ hooks: { poststop: [{ path: "/a", timeout: 0 }] } })],
    ['annotations[""]', minimal({ annotations: { "": "a" } })],
    ['annotations["a"]', minimal({ annotations: { a: 1 } })],
    ["linux.namespaces[0].type", withLinux({ namespaces: [{ type: "soul" }] })],
    ['linux.timeOffsets["realtime"]', withLinux({ timeOffsets: { realtime: {} } })],
    ["linux.devices[0].path", withLinux({ devices: [{ type: "c", path: "null" }] })],
    ["linux.devices[0].type", withLinux({ devices: [{ type: "x", path: "/null" }] })],
    ["linux.maskedPaths[0]", withLinux({ maskedPaths: ["proc"] })],
    ["linux.resources.memory.limit", withLinux({ resources: { memory: { limit: "1g" } } })],
    ["linux.resources.memory.limit", withLinux({ resources: { memory: { limit: -7 } } })],
    ["linux.resources.pids.limit", withLinux({ resources: { pids: { limit: 0.5 } } })],
    ["linux.resources.devices[0].allow", withLinux({ resources: { devices: [{}] } })],
    ["linux.seccomp.defaultAction", withLinux({ seccomp: {} })],
    ["linux.seccomp.syscalls[0].names", withLinux({ seccomp: withRule({ names: [] }) })],
    ["linux.seccomp.syscalls[0].args[0].index", withLinux({ seccomp: withRule(argument(6)) })],
    [
      "linux.seccomp.listenerMetadata",
      withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "x" } }),
    ],
    ["linux.intelRdt.enableCMT", withLinux({ intelRdt: { enableCMT: true } })],
    ["linux.uidMappings[0].size", withLinux({ uidMappings: [{ containerID: 0, hostID: 0 }] })],
  ];
  for (const [field, json] of REFUSED) {
    it(`refuses a wrong ${field} by its path: ${json.slice(0, 200)}`, () => {
      const error = refusal(json);
      assert.equal(error.origin, field);
      assert.match(error.message, new RegExp(`^${literally(field)} `));
      assert.ok(error.hint);
    });
  }

  for (const json of ["", "{", "[]", "null", "7", '"text"', '{"a":1}}']) {
    it(`refuses what is no configuration: ${json}`, () => {
      assert.equal(refusal(json).code, "INVALID_SPEC");
    });
  }
});

describe("parseProcess", () => {
  it("names fields as the configuration does", () => {
    assert.throws(() => parseProcess('{"args":["a"],"cwd":"b"}'), { origin: "process.cwd" });
    const { value } = parseProcess('{"args":["a"],"cwd":"/","user":{"uid":7}}');
    assert.deepEqual(value, { args: ["a"], cwd: "/", env: [], user: { uid: 7, gid: 0 } });
  });
});

describe("parseResources", () => {
  it("reads what `update` is given", () => {
    const { value, warnings } = parseResources('{"memory":{"limit":1048576},"cpu":{},"x":0}');
    assert.deepEqual(value, { memory: { limit: 1_048_576 }, cpu: {} });
    assert.deepEqual(warnings, ["linux.resources.x is not known to tsrun and has no effect"]);
  });
});

function twice<T>(item: T): T[] {
  return [item, item];
}

function withRule(change: Json): Json {
  const rule = { names: ["read"], action: "SCMP_ACT_ALLOW", ...change };
  return { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] };
}

function argument(index: number): Json {
  return { args: [{ index, op: "SCMP_CMP_EQ", value: 0 }] };
}

function literally(literal: string): string {
  return literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
