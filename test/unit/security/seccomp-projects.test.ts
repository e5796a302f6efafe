import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { allBut, keepProjects, type Pattern } from "../../../src/security/seccomp-projects.ts";
import type { OciSeccomp } from "../../../src/spec/index.ts";

const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_IOC_SETFLAGS = 0x40086602;
const TCGETS = 0x5401;

const fits = (patterns: readonly Pattern[], number: number) =>
  patterns.some(({ mask, value }) => (number & mask) >>> 0 === value);

describe("patterns for all numbers but some", () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

  it("fit every other number, and none of these", () => {
    fc.assert(
      fc.property(fc.uniqueArray(word, { maxLength: 5 }), word, (numbers, other) => {
        const patterns = allBut(numbers);
        for (const number of numbers) assert.ok(!fits(patterns, number));
        assert.equal(fits(patterns, other), !numbers.includes(other));
      }),
    );
  });

  it("fit the neighbours of each, one bit away", () => {
    const patterns = allBut([FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS]);
    for (let bit = 0; bit < 32; bit += 1) {
      assert.ok(fits(patterns, (FS_IOC_FSSETXATTR ^ (1 << bit)) >>> 0), `bit ${bit}`);
    }
  });
});

describe("a filter that keeps projects", () => {
  const filter: OciSeccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [
      { names: ["read", "ioctl", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["bpf"], action: "SCMP_ACT_ERRNO" },
    ],
  };
  const { syscalls = [] } = keepProjects(filter);
  const ioctls = syscalls.filter(({ names }) => names.includes("ioctl"));
  const allowed = (command: number) => answered(command, "SCMP_ACT_ALLOW");
  const answered = (command: number, by: string) =>
    ioctls.some(
      ({ args, action }) =>
        action === by &&
        fits(
          (args ?? []).map((arg) => ({ mask: Number(arg.value), value: Number(arg.valueTwo) })),
          command,
        ),
    );

  it("leaves all other calls as they are", () => {
    assert.deepEqual(
      syscalls.filter(({ names }) => !names.includes("ioctl")),
      [
        { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
        { names: ["bpf"], action: "SCMP_ACT_ERRNO" },
      ],
    );
  });

  it("allows every ioctl but those that change projects", () => {
    assert.ok(ioctls.every(({ args }) => args?.every(({ index }) => index === 1)));
    assert.ok(allowed(TCGETS));
    assert.ok(!answered(TCGETS, "SCMP_ACT_ERRNO"));
    for (const command of [FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS, 0x40046602]) {
      assert.ok(!allowed(command), command.toString(16));
      assert.ok(answered(command, "SCMP_ACT_ERRNO"));
    }
  });
});
