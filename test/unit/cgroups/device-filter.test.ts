import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { planDeviceFilter } from "../../../src/cgroups/index.ts";
import type { OciDeviceRule } from "../../../src/spec/index.ts";
import { execute, unreachable } from "./bpf-machine.ts";

interface Request {
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  /** Letters of "rwm". */
  readonly access: string;
}

const ACCESS_BITS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** struct bpf_cgroup_dev_ctx for a request, as the kernel fills it. */
function context({ type, major, minor, access }: Request): Uint32Array {
  const bits = [...access].reduce((sum, letter) => sum | (ACCESS_BITS[letter] ?? 0), 0);
  return new Uint32Array([((bits << 16) | (type === "b" ? 1 : 2)) >>> 0, major, minor]);
}

function allowed(rules: readonly OciDeviceRule[], request: Request): boolean {
  const program = planDeviceFilter(rules);
  return program === undefined || execute(program, context(request)) === 1;
}

/** The promise, spelled out: every letter is decided by the last rule that fits and has it. */
function reference(rules: readonly OciDeviceRule[], request: Request): boolean {
  const letters = request.access === "" ? "rwm" : request.access;
  return [...letters].every((letter) => {
    const deciding = rules.filter((rule) => {
      const everything = rule.type === undefined || rule.type === "a";
      const device =
        everything ||
        (rule.type === request.type &&
          [undefined, -1, request.major].includes(rule.major) &&
          [undefined, -1, request.minor].includes(rule.minor));
      return device && (!rule.access || rule.access.includes(letter));
    });
    return deciding.at(-1)?.allow ?? false;
  });
}

const number = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0xffff_ffff, 0x8000_0000));
const letters = fc.subarray(["r", "w", "m"]).map((list) => list.join(""));
const rule: fc.Arbitrary<OciDeviceRule> = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom("a" as const, "b" as const, "c" as const, "c" as const),
    major: fc.oneof(number, fc.constant(-1)),
    minor: fc.oneof(number, fc.constant(-1)),
    access: letters,
  },
  { requiredKeys: ["allow"] },
);
const request = fc.record({
  type: fc.constantFrom("b" as const, "c" as const),
  major: number,
  minor: number,
  access: letters,
});

describe("planDeviceFilter", () => {
  it("decides every request as its rules say", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        fc.array(request, { minLength: 1, maxLength: 20 }),
        (rules, requests) => {
          for (const one of requests) {
            assert.equal(allowed(rules, one), reference(rules, one), JSON.stringify(one));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("has no instruction that cannot be reached, which the kernel's verifier would refuse", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), (rules) => {
        const program = planDeviceFilter(rules);
        if (!program) return;
        assert.equal(unreachable(program), 0);
      }),
    );
  });

  it("lets a later rule overrule an earlier one", () => {
    const nullDevice = { type: "c", major: 1, minor: 3 } as const;
    const rules = [{ allow: false }, { allow: true, ...nullDevice, access: "rw" }];
    assert.ok(allowed(rules, { ...nullDevice, access: "rw" }));
    assert.ok(!allowed(rules, { ...nullDevice, access: "m" }));
    assert.ok(!allowed([...rules].reverse(), { ...nullDevice, access: "r" }));
  });

  it("grants access that several rules allow together", () => {
    const device = { type: "b", major: 8, minor: 0 } as const;
    const rules = [
      { allow: true, ...device, access: "r" },
      { allow: true, ...device, access: "w" },
    ];
    assert.ok(allowed(rules, { ...device, access: "rw" }));
  });

  it("denies a request of which a later rule forbids a part", () => {
    const device = { type: "b", major: 8, minor: 0 } as const;
    const rules = [
      { allow: true, ...device },
      { allow: false, ...device, access: "w" },
    ];
    assert.ok(allowed(rules, { ...device, access: "r" }));
    assert.ok(!allowed(rules, { ...device, access: "rw" }));
  });

  it("denies what no rule is about", () => {
    assert.ok(!allowed([], { type: "c", major: 1, minor: 3, access: "r" }));
  });

  it("is no program at all where everything is allowed in the end", () => {
    assert.equal(planDeviceFilter([{ allow: false }, { allow: true, access: "rwm" }]), undefined);
    assert.notEqual(planDeviceFilter([{ allow: true, type: "c" }]), undefined);
  });

  it("names the rule that is wrong", () => {
    const wrong = [
      [{ allow: true, type: "c", access: "rx" }, "access"],
      [{ allow: true, type: "c", major: 1.5 }, "major"],
      [{ allow: true, type: "b", minor: 2 ** 32 }, "minor"],
    ] as const;
    for (const [rule_, field] of wrong) {
      assert.throws(() => planDeviceFilter([{ allow: false }, rule_]), {
        code: "INVALID_SPEC",
        origin: `linux.resources.devices[1].${field}`,
      });
    }
    const type = "z" as "c";
    assert.throws(() => planDeviceFilter([{ allow: true, type }]), {
      origin: "linux.resources.devices[0]",
    });
  });
});
