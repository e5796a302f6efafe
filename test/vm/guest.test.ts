import assert from "node:assert/strict";
import { readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const PROJECT = join(import.meta.dirname, "../..");

it("has every cgroup v2 controller that the tests limit with", () => {
  const controllers = readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8").trim().split(" ");
  for (const needed of ["cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma"]) {
    assert.ok(controllers.includes(needed), `${needed} is not among ${controllers.join(" ")}`);
  }
});

it("cannot write to the host", () => {
  for (const path of [join(PROJECT, "package.json"), "/etc/passwd"]) {
    assert.throws(() => writeFileSync(path, "", { flag: "a" }), { code: "EROFS" });
  }
});

it("keeps containers on a file system that can carry an overlay's upper", () => {
  const EXT4_SUPER_MAGIC = 0xef53;
  assert.equal(statfsSync("/var/lib/tsrun").type, EXT4_SUPER_MAGIC);
});
