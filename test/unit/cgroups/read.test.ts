import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCgroupPath } from "../../../src/cgroups/index.ts";
import { parseFlatKeyed, parseLimit, parseNestedKeyed } from "../../../src/cgroups/keyed.ts";
import {
  parseCgroup2Mounts,
  parseOwnCgroup,
  pathBelowMount,
} from "../../../src/cgroups/mountinfo.ts";
import { ancestors } from "../../../src/cgroups/path.ts";
import { planRestore } from "../../../src/cgroups/plan-restore.ts";

describe("parseCgroup2Mounts", () => {
  const line = (id: number, root: string, at: string, type: string) =>
    `${id} 20 0:30 ${root} ${at} rw,relatime shared:9 master:1 - ${type} ${type} rw,nsdelegate`;

  it("finds the hybrid layout's mount beside v1's", () => {
    const text = [
      line(31, "/", "/sys/fs/cgroup", "tmpfs"),
      line(32, "/", "/sys/fs/cgroup/cpu", "cgroup"),
      line(33, "/", "/sys/fs/cgroup/unified", "cgroup2"),
    ].join("\n");
    assert.deepEqual(parseCgroup2Mounts(`${text}\n`), [
      { mountPoint: "/sys/fs/cgroup/unified", root: "/" },
    ]);
  });

  it("prefers whole hierarchies, then the usual places", () => {
    const text = [
      line(1, "/box", "/sys/fs/cgroup", "cgroup2"),
      line(2, "/", "/mnt/my\\040cgroups", "cgroup2"),
      line(3, "/", "/sys/fs/cgroup/unified", "cgroup2"),
    ].join("\n");
    assert.deepEqual(
      parseCgroup2Mounts(text).map(({ mountPoint }) => mountPoint),
      ["/sys/fs/cgroup/unified", "/mnt/my cgroups", "/sys/fs/cgroup"],
    );
  });

  it("does not see a mount that a later one on the same place hides", () => {
    const text = [
      line(1, "/", "/sys/fs/cgroup", "cgroup2"),
      line(2, "/", "/sys/fs/cgroup", "tmpfs"),
    ].join("\n");
    assert.deepEqual(parseCgroup2Mounts(text), []);
  });
});

describe("a process's own cgroup", () => {
  it("is the line of hierarchy 0", () => {
    assert.equal(parseOwnCgroup("3:cpuset:/x\n0::/user.slice/a b\n"), "/user.slice/a b");
    assert.equal(parseOwnCgroup("0::/box (deleted)\n"), "/box");
    assert.equal(parseOwnCgroup("1:name=systemd:/\n"), undefined);
  });

  it("is found below what is mounted", () => {
    assert.equal(pathBelowMount("/", "/a/b"), "/a/b");
    assert.equal(pathBelowMount("/a", "/a/b"), "/b");
    assert.equal(pathBelowMount("/a", "/a"), "/");
    assert.equal(pathBelowMount("/a", "/ab"), undefined);
    assert.equal(pathBelowMount("/..", "/a"), undefined);
    assert.equal(pathBelowMount("/", "/../b"), undefined);
  });
});

describe("a cgroup path", () => {
  it("is normalised", () => {
    assert.equal(parseCgroupPath("//tsrun/./box/"), "/tsrun/box");
    assert.equal(parseCgroupPath("/"), "/");
    assert.deepEqual(ancestors("/a/b/c"), ["/a", "/a/b"]);
    assert.deepEqual(ancestors("/a"), []);
  });

  it("must be absolute, stay in its place and have names that the kernel takes", () => {
    for (const path of ["tsrun", "", "/a/../b", "/a\nb", `/${"x".repeat(256)}`]) {
      assert.throws(() => parseCgroupPath(path), {
        code: "INVALID_SPEC",
        origin: "linux.cgroupsPath",
      });
    }
  });
});

describe("the kernel's formats", () => {
  it("are flat keyed, nested keyed and single limits", () => {
    assert.deepEqual(
      [...parseFlatKeyed("anon 5\nfile 0\n")],
      [
        ["anon", 5],
        ["file", 0],
      ],
    );
    const nested = parseNestedKeyed("8:0 rbytes=1 wbytes=2\n8:16 \n");
    assert.equal(nested.get("8:0")?.get("wbytes"), "2");
    assert.equal(nested.get("8:16")?.size, 0);
    assert.equal(parseLimit("max\n"), "max");
    assert.equal(parseLimit("4096\n"), 4096);
    assert.throws(() => parseLimit("many\n"), /wrote "many"/);
  });
});

describe("planRestore", () => {
  it("puts a single value back", () => {
    assert.equal(planRestore("memory.max", "5", "max\n"), "max");
    assert.equal(planRestore("cpu.max", "5000", "max 100000\n"), "max 100000");
    assert.equal(planRestore("cpuset.cpus", "0", "0-3\n"), "0-3");
  });

  it("puts a device's line back, or what lifts its limit", () => {
    const before = "8:0 rbps=5 wbps=max riops=max wiops=max\n";
    assert.equal(planRestore("io.max", "8:0 rbps=9", before), before.trim());
    assert.equal(
      planRestore("io.max", "8:16 rbps=9", before),
      "8:16 rbps=max wbps=max riops=max wiops=max",
    );
    assert.equal(planRestore("io.weight", "300", "default 100\n8:0 50\n"), "default 100");
    assert.equal(planRestore("io.weight", "8:16 300", "default 100\n"), "8:16 default");
    assert.equal(planRestore("misc.max", "res 5", ""), "res max");
  });
});
