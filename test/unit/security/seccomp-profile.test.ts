import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { errnoNumber, SECCOMP_OPERATORS } from "../../../src/ffi/index.ts";
import { compileSeccomp, SECCOMP_ACTION_NAMES } from "../../../src/security/compile-seccomp.ts";
import { parseSeccompProfile } from "../../../src/security/parse-seccomp-profile.ts";
import { seccompFlags } from "../../../src/security/seccomp-flags.ts";
import { planSeccomp } from "../../../src/security/seccomp-profile.ts";
import { runFilter } from "./bpf-interpreter.ts";

const vocabulary = {
  actions: SECCOMP_ACTION_NAMES,
  operators: Object.keys(SECCOMP_OPERATORS),
  errnoNumber,
};
const parse = (profile: unknown) =>
  parseSeccompProfile(
    typeof profile === "string" ? profile : JSON.stringify(profile),
    "p.json",
    vocabulary,
  );

const facts = { arch: "x64", kernel: { major: 6, minor: 1 }, capabilities: ["CAP_CHOWN"] } as const;
const X86_64 = 0xc000_003e;

describe("a profile file", () => {
  it("in Docker's form is decided for one container", () => {
    const profile = parse({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      archMap: [
        { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
        { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
      ],
      syscalls: [
        {
          names: ["read", "write"],
          action: "SCMP_ACT_ALLOW",
          args: [],
          comment: "",
          includes: {},
          excludes: {},
        },
        { names: ["chown"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_CHOWN"] } },
        {
          names: ["mount"],
          action: "SCMP_ACT_ALLOW",
          includes: { caps: ["CAP_CHOWN", "CAP_SYS_ADMIN"] },
        },
        {
          names: ["umount"],
          action: "SCMP_ACT_ERRNO",
          errno: "EACCES",
          excludes: { caps: ["CAP_SYS_ADMIN"] },
        },
        {
          names: ["a"],
          action: "SCMP_ACT_ALLOW",
          excludes: { caps: ["CAP_SYS_ADMIN", "CAP_CHOWN"] },
        },
        { names: ["b"], action: "SCMP_ACT_ALLOW", includes: { arches: ["arm64"] } },
        { names: ["c"], action: "SCMP_ACT_ALLOW", excludes: { arches: ["amd64"] } },
        { names: ["d"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "6.1" } },
        { names: ["e"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "6.10" } },
        { names: ["f"], action: "SCMP_ACT_ALLOW", excludes: { minKernel: "4.8" } },
        { name: "g", names: null, action: "SCMP_ACT_ALLOW", args: null },
      ],
    });
    const plan = planSeccomp(profile, facts);
    assert.deepEqual(plan.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
    assert.deepEqual(
      plan.syscalls?.map((rule) => rule.names.join()),
      ["read,write", "chown", "umount", "d", "g"],
    );
    assert.deepEqual(plan.syscalls?.[2], {
      names: ["umount"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 13,
    });
    assert.ok(compileSeccomp(plan, "x64").length > 0);
  });

  it("in OCI's own form stays as it is", () => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        {
          names: ["personality"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 1,
          args: [{ index: 0, value: 8, valueTwo: 1, op: "SCMP_CMP_NE" }],
        },
      ],
    };
    assert.deepEqual(planSeccomp(parse(seccomp), facts), seccomp);
    assert.equal(seccompFlags(seccomp), 2);
  });

  it("keeps 64-bit values that a double cannot hold", () => {
    const profile = parse(
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["lseek"],"action":"SCMP_ACT_KILL",' +
        '"args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}',
    );
    assert.equal(profile.syscalls[0]?.args?.[0]?.value, 18_446_744_073_709_551_615n);
    const filter = compileSeccomp(planSeccomp(profile, facts), "x64");
    const lseek = (offset: bigint) =>
      runFilter(filter, { nr: 8, arch: X86_64, args: [0n, offset, 0n] });
    assert.equal(lseek(-1n), 0);
    assert.equal(lseek(-2n), 0x7fff_0000);
  });

  it("is refused with the path of what is wrong", () => {
    const rule = (fields: object) => ({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL", ...fields }],
    });
    const wrong: readonly (readonly [profile: unknown, path: string])[] = [
      [[], "$"],
      [{}, "$.defaultAction"],
      [{ defaultAction: "ALLOW" }, "$.defaultAction"],
      [{ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 5000 }, "$.defaultErrnoRet"],
      [{ defaultAction: "SCMP_ACT_ERRNO", defaultErrno: "EWHAT" }, "$.defaultErrno"],
      [{ defaultAction: "SCMP_ACT_ALLOW", syscalls: {} }, "$.syscalls"],
      [{ defaultAction: "SCMP_ACT_ALLOW", architectures: [], archMap: [] }, "$"],
      [{ defaultAction: "SCMP_ACT_ALLOW", archMap: [{}] }, "$.archMap[0].architecture"],
      [rule({ names: [] }), "$.syscalls[0].names"],
      [rule({ names: ["read", 1] }), "$.syscalls[0].names[1]"],
      [rule({ action: "constructor" }), "$.syscalls[0].action"],
      [rule({ errno: "EPERM", errnoRet: 2 }), "$.syscalls[0].errno"],
      [rule({ args: [{ index: 6, op: "SCMP_CMP_EQ" }] }), "$.syscalls[0].args[0].index"],
      [rule({ args: [{ index: 0, op: "==" }] }), "$.syscalls[0].args[0].op"],
      [rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: -1 }] }), "$.syscalls[0].args[0].value"],
      [
        rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: 0.5 }] }),
        "$.syscalls[0].args[0].value",
      ],
      [rule({ includes: { minKernel: "new" } }), "$.syscalls[0].includes.minKernel"],
      [rule({ excludes: { caps: "CAP_CHOWN" } }), "$.syscalls[0].excludes.caps"],
    ];
    for (const [profile, path] of wrong) {
      assert.throws(() => parse(profile), { code: "INVALID_SPEC", origin: path }, path);
    }
    assert.throws(() => parse("{"), { code: "INVALID_SPEC", message: /"p.json" is not JSON/ });
  });

  it("is a profile or INVALID_SPEC, whatever JSON it holds", () => {
    const key = fc.constantFrom(
      "defaultAction",
      "syscalls",
      "archMap",
      "names",
      "args",
      "includes",
      "flags",
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom("SCMP_ACT_ALLOW", null, 0, -1, 1e300, "x"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (json) => {
        try {
          parse(json);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "INVALID_SPEC");
        }
      }),
    );
  });
});

describe("compiling", () => {
  const answer = (rules: readonly object[], nr: number, args: bigint[] = []) => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: rules } as Parameters<
      typeof compileSeccomp
    >[0];
    return runFilter(compileSeccomp(seccomp, "x64"), { nr, arch: X86_64, args });
  };

  it("knows every action", () => {
    const values = SECCOMP_ACTION_NAMES.filter((name) => name !== "SCMP_ACT_ALLOW").map(
      (action) => {
        const errno = /ERRNO|TRACE/.test(action) ? { errnoRet: 7 } : {};
        return [action, answer([{ names: ["read"], action, ...errno }], 0)];
      },
    );
    assert.deepEqual(Object.fromEntries(values), {
      SCMP_ACT_KILL: 0,
      SCMP_ACT_KILL_THREAD: 0,
      SCMP_ACT_KILL_PROCESS: 0x8000_0000,
      SCMP_ACT_TRAP: 0x0003_0000,
      SCMP_ACT_ERRNO: 0x0005_0007,
      SCMP_ACT_TRACE: 0x7ff0_0007,
      SCMP_ACT_LOG: 0x7ffc_0000,
      SCMP_ACT_NOTIFY: 0x7fc0_0000,
    });
    assert.equal(answer([{ names: ["read"], action: "SCMP_ACT_ERRNO" }], 0), 0x0005_0001);
  });

  it("refuses an errno for an action that returns none", () => {
    const rule = { names: ["read"], action: "SCMP_ACT_KILL", errnoRet: 7 };
    assert.throws(() => answer([rule], 0), { origin: "linux.seccomp.syscalls[0].action" });
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1 };
    assert.throws(() => compileSeccomp(seccomp, "x64"), {
      origin: "linux.seccomp.defaultAction",
    });
  });

  it("knows every operator, on all 64 bits", () => {
    const high = 1n << 40n;
    const cases: readonly (readonly [
      op: string,
      value: bigint,
      two: bigint,
      yes: bigint,
      no: bigint,
    ])[] = [
      ["SCMP_CMP_EQ", high, 0n, high, high + 1n],
      ["SCMP_CMP_NE", high, 0n, 0n, high],
      ["SCMP_CMP_LT", high, 0n, high - 1n, high],
      ["SCMP_CMP_LE", high, 0n, high, high + 1n],
      ["SCMP_CMP_GT", high, 0n, high + 1n, high],
      ["SCMP_CMP_GE", high, 0n, high, high - 1n],
      ["SCMP_CMP_MASKED_EQ", high | 1n, 1n, 1n | (1n << 39n), high | 1n],
    ];
    for (const [op, value, valueTwo, yes, no] of cases) {
      const rules = [
        { names: ["lseek"], action: "SCMP_ACT_ERRNO", args: [{ index: 1, value, valueTwo, op }] },
      ];
      assert.equal(answer(rules, 8, [0n, yes]), 0x0005_0001, op);
      assert.equal(answer(rules, 8, [0n, no]), 0x7fff_0000, op);
    }
  });

  it("takes several conditions on one argument as alternatives, on different ones together", () => {
    const eq = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" });
    const either = [{ names: ["lseek"], action: "SCMP_ACT_ERRNO", args: [eq(0, 1), eq(0, 2)] }];
    assert.equal(answer(either, 8, [1n]), 0x0005_0001);
    assert.equal(answer(either, 8, [2n]), 0x0005_0001);
    assert.equal(answer(either, 8, [3n]), 0x7fff_0000);
    const both = [{ names: ["lseek"], action: "SCMP_ACT_ERRNO", args: [eq(0, 1), eq(1, 2)] }];
    assert.equal(answer(both, 8, [1n, 2n]), 0x0005_0001);
    assert.equal(answer(both, 8, [1n, 1n]), 0x7fff_0000);
  });

  it("passes over unknown calls, and rules that say what the default says", () => {
    const rules = [
      { names: ["no_such_call", "read"], action: "SCMP_ACT_ERRNO" },
      { names: ["write"], action: "SCMP_ACT_ALLOW" },
      { names: ["read"], action: "SCMP_ACT_ERRNO" },
    ];
    assert.equal(answer(rules, 0), 0x0005_0001);
    assert.equal(answer(rules, 1), 0x7fff_0000);
  });

  it("accepts OCI's other architectures and refuses what is none", () => {
    const compile = (architectures: string[]) =>
      compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", architectures }, "x64");
    compile([
      "SCMP_ARCH_X86_64",
      "SCMP_ARCH_X86",
      "SCMP_ARCH_X32",
      "SCMP_ARCH_S390X",
      "SCMP_ARCH_RISCV64",
    ]);
    compile([]);
    assert.throws(() => compile(["X86"]), {
      code: "INVALID_SPEC",
      origin: "linux.seccomp.architectures",
    });
  });

  it("names the field that is wrong", () => {
    const compile = (rule: object) => () =>
      compileSeccomp(
        { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] } as Parameters<
          typeof compileSeccomp
        >[0],
        "x64",
      );
    const base = { names: ["read"], action: "SCMP_ACT_ERRNO" };
    assert.throws(compile({ ...base, action: "NO" }), {
      origin: "linux.seccomp.syscalls[0].action",
    });
    assert.throws(compile({ ...base, errnoRet: 70_000 }), {
      origin: "linux.seccomp.syscalls[0].action",
    });
    assert.throws(compile({ ...base, args: [{ index: 9, value: 0, op: "SCMP_CMP_EQ" }] }), {
      origin: "linux.seccomp.syscalls[0].args[0].index",
    });
    assert.throws(compile({ ...base, args: [{ index: 0, value: 0, op: "EQ" }] }), {
      origin: "linux.seccomp.syscalls[0].args[0].op",
    });
    assert.throws(() => compileSeccomp({ defaultAction: "SCMP_ACT_NONE" }, "x64"), {
      origin: "linux.seccomp.defaultAction",
    });
  });

  it("refuses a program that the kernel would not take", () => {
    const syscalls = Array.from({ length: 1500 }, (_, value) => ({
      names: ["lseek"],
      action: "SCMP_ACT_ERRNO",
      args: [{ index: 1, value: value + 5_000_000_000 * value, op: "SCMP_CMP_EQ" }],
    }));
    assert.throws(() => compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, "x64"), {
      code: "INVALID_SPEC",
      message: /instructions, and the kernel takes 4096/,
    });
  });
});

it("has a filter's flags by name", () => {
  const flags = (names: readonly string[] | undefined) =>
    seccompFlags({ defaultAction: "SCMP_ACT_ALLOW", ...(names && { flags: names }) });
  assert.equal(flags(undefined), 4);
  assert.equal(flags([]), 0);
  assert.equal(flags(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), 5);
  assert.throws(() => flags(["SECCOMP_FILTER_FLAG_X"]), { origin: "linux.seccomp.flags[0]" });
});
