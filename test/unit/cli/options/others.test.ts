import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDevice, parseDeviceRule } from "../../../../src/cli/options/devices.ts";
import {
  parseCgroupParent,
  parseContainerName,
  parseEntrypoint,
  parseHostname,
  parsePersonality,
  parseSignal,
  parseUser,
  parseWorkdir,
} from "../../../../src/cli/options/identity.ts";
import { parseLogOptions } from "../../../../src/cli/options/log-options.ts";
import { parseAddHost, parseDns } from "../../../../src/cli/options/network-files.ts";
import { parseCapabilities, parseSecurityOptions } from "../../../../src/cli/options/security.ts";
import { parseSysctl } from "../../../../src/cli/options/sysctl.ts";
import { parseUlimit } from "../../../../src/cli/options/ulimits.ts";
import { refuses } from "./refuses.ts";

describe("parseUlimit", () => {
  it("reads soft and hard limits", () => {
    assert.deepEqual(parseUlimit("nofile=1024:4096"), {
      type: "RLIMIT_NOFILE",
      soft: 1024,
      hard: 4096,
    });
    assert.deepEqual(parseUlimit("NPROC=5"), { type: "RLIMIT_NPROC", soft: 5, hard: 5 });
    assert.deepEqual(parseUlimit("RLIMIT_CORE=0:-1"), { type: "RLIMIT_CORE", soft: 0, hard: -1 });
    assert.deepEqual(parseUlimit("core=unlimited"), { type: "RLIMIT_CORE", soft: -1, hard: -1 });
    assert.equal(parseUlimit("host"), undefined);
  });
  for (const text of [
    "nofile",
    "frob=1",
    "nofile=x",
    "nofile=2:1",
    "nofile=-1:5",
    "nofile=1:2:3",
    "nofile=",
    "nofile=-2",
  ]) {
    it(`refuses ${text}`, () => refuses(() => parseUlimit(text), "--ulimit", text));
  }

  it("comes back from its parts, and never ends in anything but a limit or INVALID_ARGUMENT", () => {
    const value = fc.oneof(fc.nat(), fc.constant(-1));
    fc.assert(
      fc.property(
        fc.constantFrom("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_RTTIME"),
        value,
        value,
        (type, soft, hard) => {
          fc.pre(hard === -1 || (soft !== -1 && soft <= hard));
          const name = type.slice("RLIMIT_".length).toLowerCase();
          assert.deepEqual(parseUlimit(`${name}=${soft}:${hard}`), { type, soft, hard });
        },
      ),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseUlimit(text);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "INVALID_ARGUMENT");
        }
      }),
    );
  });
});

describe("devices", () => {
  it("have a host path, a container path and access", () => {
    const device = (source: string, target: string, access: string) => ({ source, target, access });
    assert.deepEqual(parseDevice("/dev/fuse"), device("/dev/fuse", "/dev/fuse", "rwm"));
    assert.deepEqual(parseDevice("/dev/fuse:r"), device("/dev/fuse", "/dev/fuse", "r"));
    assert.deepEqual(parseDevice("/dev/a:/dev/b"), device("/dev/a", "/dev/b", "rwm"));
    assert.deepEqual(parseDevice("/dev/a:/dev/b:rw"), device("/dev/a", "/dev/b", "rw"));
  });
  for (const text of [
    "",
    "fuse",
    "/dev/a:b",
    "/dev/a:/dev/b:x",
    "/dev/a:/dev/b:rr",
    "/dev/a:/b:r:w",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => refuses(() => parseDevice(text), "--device", text));
  }
  it("have rules by number", () => {
    assert.deepEqual(parseDeviceRule("c 1:3 mr"), {
      allow: true,
      type: "c",
      major: 1,
      minor: 3,
      access: "mr",
    });
    assert.deepEqual(parseDeviceRule("a *:* rwm"), { allow: true, type: "a", access: "rwm" });
  });
  for (const text of ["", "c 1:3", "x 1:3 r", "c 1 r", "c 1:3 x", "c -1:3 r"]) {
    it(`refuses the rule ${JSON.stringify(text)}`, () =>
      refuses(() => parseDeviceRule(text), "--device-cgroup-rule", text));
  }
});

describe("parseSecurityOptions", () => {
  const parse = (...texts: string[]) => parseSecurityOptions(texts, "/here");
  it("reads podman's options, with = and :", () => {
    assert.deepEqual(parse(), {});
    assert.deepEqual(parse("no-new-privileges", "seccomp=unconfined", "apparmor=p"), {
      noNewPrivileges: true,
      seccomp: "unconfined",
      apparmor: "p",
    });
    assert.deepEqual(parse("no-new-privileges:false", "seccomp=p.json", "label=disable"), {
      noNewPrivileges: false,
      seccomp: "/here/p.json",
      labels: ["disable"],
    });
    assert.deepEqual(parse("label=type:x", "label:level:s0", "mask=/a:/b", "unmask=all"), {
      labels: ["type:x", "level:s0"],
      mask: ["/a", "/b"],
      unmask: ["ALL"],
    });
    assert.deepEqual(parse("systempaths=unconfined"), { unmask: ["ALL"] });
  });
  for (const text of ["frob", "frob=1", "seccomp=", "apparmor", "mask=a", "systempaths=x", ""]) {
    it(`refuses ${JSON.stringify(text)}`, () => refuses(() => parse(text), "--security-opt", text));
  }
  it("says that proc-opts is not there", () =>
    refuses(
      () => parse("proc-opts=hidepid=2"),
      "--security-opt",
      "proc-opts=hidepid=2",
      /./,
      "UNSUPPORTED",
    ));
});

describe("parseCapabilities", () => {
  it("writes names as the kernel does", () =>
    assert.deepEqual(parseCapabilities("--cap-add", ["net_admin,CAP_SYS_TIME", "all"]), [
      "CAP_NET_ADMIN",
      "CAP_SYS_TIME",
      "ALL",
    ]));
  for (const text of ["", "net-admin", "1"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseCapabilities("--cap-add", [text]), "--cap-add", text));
  }
});

describe("names and ids", () => {
  it("take what they should", () => {
    assert.equal(parseContainerName("--name", "a.b-c_1"), "a.b-c_1");
    assert.equal(parseHostname("--hostname", "a-b.c"), "a-b.c");
    assert.equal(parseUser("--user", "1000:audio"), "1000:audio");
    assert.equal(parseWorkdir("--workdir", "/a b"), "/a b");
    assert.equal(parseCgroupParent("--cgroup-parent", "/jobs/a"), "/jobs/a");
    assert.equal(parsePersonality("--personality", "linux32"), "LINUX32");
    for (const text of ["9", "kill", "KILL", "SIGKILL"]) {
      assert.equal(parseSignal("--stop-signal", text), "SIGKILL");
    }
    assert.equal(parseSignal("--stop-signal", "37"), "SIGRTMIN+3");
    assert.deepEqual(parseEntrypoint("--entrypoint", ""), []);
    assert.deepEqual(parseEntrypoint("--entrypoint", "/bin/a b"), ["/bin/a b"]);
    assert.deepEqual(parseEntrypoint("--entrypoint", '["a","b"]'), ["a", "b"]);
  });
  for (const [parse, flag, values] of [
    [parseContainerName, "--name", ["", "-a", "a b", "a/b", "ä", "a".repeat(129)]],
    [parseHostname, "--hostname", ["", "a b", "-a", "a-", "a".repeat(65), "a_"]],
    [parseUser, "--user", ["", ":1", "a:b:c", "a b", "-x"]],
    [parseWorkdir, "--workdir", ["", "a", "./a"]],
    [parseCgroupParent, "--cgroup-parent", ["", "/", "../x", "/a/../b"]],
    [parsePersonality, "--personality", ["", "windows"]],
    [parseSignal, "--stop-signal", ["", "0", "65", "SIGFROB", "-9"]],
    [parseEntrypoint, "--entrypoint", ["[", "[1]", '["a"', "[{}]"]],
  ] as const) {
    for (const value of values) {
      it(`${flag} refuses ${JSON.stringify(value)}`, () =>
        refuses(() => parse(flag, value), flag, value));
    }
  }
});

describe("network files", () => {
  it("take addresses", () => {
    assert.equal(parseDns("1.1.1.1"), "1.1.1.1");
    assert.equal(parseDns("fd00::1"), "fd00::1");
    assert.deepEqual(parseAddHost("db:10.0.0.2"), [{ name: "db", address: "10.0.0.2" }]);
    assert.deepEqual(parseAddHost("a;b:[fd00::2]"), [
      { name: "a", address: "fd00::2" },
      { name: "b", address: "fd00::2" },
    ]);
    assert.deepEqual(parseAddHost("a:::1"), [{ name: "a", address: "::1" }]);
  });
  for (const text of ["", "x", "256.1.1.1"]) {
    it(`--dns refuses ${JSON.stringify(text)}`, () => refuses(() => parseDns(text), "--dns", text));
  }
  for (const text of ["", "db", "db:x", ":1.1.1.1", "a b:1.1.1.1"]) {
    it(`--add-host refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseAddHost(text), "--add-host", text));
  }
});

describe("parseLogOptions", () => {
  it("reads sizes and counts", () =>
    assert.deepEqual(parseLogOptions(["max-size=10m", "max-file=3"]), {
      maxSizeBytes: 10 * 2 ** 20,
      maxFiles: 3,
    }));
  for (const text of ["max-size", "frob=1", "max-size=1", "=x"]) {
    it(`refuses ${text}`, () => refuses(() => parseLogOptions([text]), "--log-opt", text));
  }
  it("refuses a count of none", () =>
    refuses(() => parseLogOptions(["max-file=0"]), "--log-opt", "0"));
});

describe("parseSysctl", () => {
  it("reads dots and slashes", () => {
    assert.deepEqual(parseSysctl("net.core.somaxconn=1024"), ["net.core.somaxconn", "1024"]);
    assert.deepEqual(parseSysctl("net/core/somaxconn=1"), ["net.core.somaxconn", "1"]);
    assert.deepEqual(parseSysctl("kernel.msgmax=a b"), ["kernel.msgmax", "a b"]);
  });
  for (const text of ["", "a=1", "net.core", "../x=1", "=1", "a..b=1"]) {
    it(`refuses ${JSON.stringify(text)}`, () => refuses(() => parseSysctl(text), "--sysctl", text));
  }
});
