import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUnit, planCgroupsPath, planUnitStart } from "../../../src/systemd/index.ts";
import { expandSlice, unitObjectPath } from "../../../src/systemd/plan-unit.ts";

describe("parseUnit", () => {
  it("makes a scope of SLICE:PREFIX:NAME, or a slice of a name that ends so", () => {
    assert.deepEqual(parseUnit("machine.slice:libpod:1234", "c1"), {
      name: "libpod-1234.scope",
      slice: "machine.slice",
      kind: "scope",
    });
    assert.deepEqual(parseUnit("kube.slice:x:kube-pod.slice", "c1"), {
      name: "kube-pod.slice",
      slice: "kube.slice",
      kind: "slice",
    });
  });

  it("is named after the container where nothing is said", () => {
    const unit = { name: "tsrun-c1.scope", slice: "system.slice", kind: "scope" };
    assert.deepEqual(parseUnit(undefined, "c1"), unit);
    assert.deepEqual(parseUnit("", "c1"), unit);
    assert.deepEqual(parseUnit(":tsrun:c1", "c1"), unit);
  });

  it("refuses other paths, in runc's words, and names that are none", () => {
    assert.throws(() => parseUnit("/a/b", "c1"), {
      code: "INVALID_SPEC",
      origin: "linux.cgroupsPath",
      message:
        'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/a/b" instead',
    });
    for (const path of [
      "a.slice:b",
      "a.slice:b:c:d",
      "a.slice:b:",
      "a:b:c",
      "../a.slice:b:c",
      "-a.slice:b:c",
      "a--b.slice:b:c",
      ".slice:b:c",
      "a.slice:b:c/d",
      "a.slice:b:a b",
      "a.slice:b:--c.slice",
      `a.slice:b:${"c".repeat(250)}`,
    ]) {
      assert.throws(() => parseUnit(path, "c1"), { code: "INVALID_SPEC" }, path);
    }
  });
});

describe("where a unit's cgroup is", () => {
  it("has each dash of a slice as a level", () => {
    assert.equal(expandSlice("-.slice"), "");
    assert.equal(expandSlice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
    const path = (cgroupsPath: string) => planCgroupsPath(parseUnit(cgroupsPath, "c1"));
    assert.equal(path("a-b.slice:p:n"), "/a.slice/a-b.slice/p-n.scope");
    assert.equal(path("-.slice:p:n"), "/p-n.scope");
    assert.equal(path("a.slice:p:a-b.slice"), "/a.slice/a-b.slice");
  });

  it("is asked for at the object of the escaped name", () => {
    assert.equal(unitObjectPath("0a-b.scope"), "/org/freedesktop/systemd1/unit/_30a_2db_2escope");
  });
});

describe("planUnitStart", () => {
  const start = { id: "c1", pids: [42], limits: [], annotated: [] } as const;
  const names = (cgroupsPath: string, more = {}) =>
    planUnitStart(parseUnit(cgroupsPath, "c1"), { ...start, ...more });

  it("delegates a scope with its process, in its slice, with everything counted", () => {
    assert.deepEqual(names("a.slice:p:n"), [
      { name: "Description", signature: "s", value: "tsrun container c1" },
      { name: "Slice", signature: "s", value: "a.slice" },
      { name: "Delegate", signature: "b", value: true },
      { name: "PIDs", signature: "au", value: [42] },
      { name: "MemoryAccounting", signature: "b", value: true },
      { name: "CPUAccounting", signature: "b", value: true },
      { name: "IOAccounting", signature: "b", value: true },
      { name: "TasksAccounting", signature: "b", value: true },
      { name: "DefaultDependencies", signature: "b", value: false },
    ]);
  });

  it("gives a slice its parent, and no process", () => {
    const properties = names("a.slice:p:a-b.slice");
    assert.deepEqual(properties[1], { name: "Wants", signature: "as", value: ["a.slice"] });
    assert.ok(!properties.some(({ name }) => name === "PIDs" || name === "Delegate"));
  });

  it("ends with the limits, and then what the author of the specification wants", () => {
    const limit = { name: "MemoryMax", signature: "t", value: 1n };
    const own = { name: "MemoryMax", signature: "t", value: 2n };
    assert.deepEqual(names("a.slice:p:n", { limits: [limit], annotated: [own] }).slice(-2), [
      limit,
      own,
    ]);
  });
});
