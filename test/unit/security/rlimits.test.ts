import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { planRlimits, type RlimitFacts } from "../../../src/security/plan-rlimits.ts";
import {
  exceeds,
  parseProcLimits,
  RLIMIT_NAMES,
  type RlimitName,
} from "../../../src/security/rlimits.ts";

function facts({
  hard = -1,
  maySetAny = false,
  nrOpen = 1_048_576,
}: {
  hard?: number;
  maySetAny?: boolean;
  nrOpen?: number;
}): RlimitFacts {
  const entries = RLIMIT_NAMES.map((name) => [name, { soft: hard, hard }]);
  return {
    current: Object.fromEntries(entries) as Record<RlimitName, { soft: number; hard: number }>,
    maySetAny,
    nrOpen,
  };
}

describe("the limits of a container", () => {
  it("stay below tsrun's own in a user namespace, whatever tsrun itself may raise", () => {
    const inside = { ...facts({ hard: 1024, maySetAny: true }), inUserNamespace: true };
    assert.deepEqual(planRlimits([], inside).rlimits, [
      { type: "RLIMIT_NPROC", soft: 1024, hard: 1024 },
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 },
    ]);
    const core = { type: "RLIMIT_CORE", soft: 10, hard: -1 };
    assert.deepEqual(planRlimits(["host", core], inside), {
      rlimits: [{ ...core, hard: 1024 }],
      warnings: [
        `the hard limit "core" is 1024 instead of unlimited: tsrun's own hard limit is 1024 and no user namespace can raise it`,
      ],
    });
    assert.throws(() => planRlimits([{ ...core, soft: 2000 }], inside), {
      code: "PERMISSION",
      hint: "Ask for at most 1024, or give tsrun a higher hard limit.",
    });
  });

  it("are refused where the soft one is above the hard one, or no number", () => {
    for (const [soft, hard] of [
      [10, 1],
      [-1, 1],
      [Number.POSITIVE_INFINITY, 5],
      [Number.NaN, 1],
      [1, Number.NaN],
      [0.5, 1],
      [-2, -1],
    ] as const) {
      assert.throws(() => planRlimits([{ type: "RLIMIT_CORE", soft, hard }], facts({})), {
        code: "INVALID_SPEC",
      });
    }
  });

  it("have one way of saying that there is none", () => {
    for (const none of [-1, Number.POSITIVE_INFINITY, 2 ** 64]) {
      const request = { type: "RLIMIT_CORE", soft: none, hard: none };
      assert.deepEqual(planRlimits(["host", request], facts({})).rlimits, [
        { type: "RLIMIT_CORE", soft: -1, hard: -1 },
      ]);
    }
  });

  it("are podman's default where tsrun may raise them", () => {
    assert.deepEqual(planRlimits([], facts({ hard: 1024, maySetAny: true })), {
      rlimits: [
        { type: "RLIMIT_NPROC", soft: 1_048_576, hard: 1_048_576 },
        { type: "RLIMIT_NOFILE", soft: 1_048_576, hard: 1_048_576 },
      ],
      warnings: [],
    });
  });

  it("default to the host's where it allows less", () => {
    const { rlimits, warnings } = planRlimits([], facts({ hard: 20_000 }));
    assert.deepEqual(
      rlimits.map((limit) => limit.hard),
      [20_000, 20_000],
    );
    assert.deepEqual(warnings, []);
    const low = planRlimits([], facts({ maySetAny: true, nrOpen: 65_536 }));
    assert.deepEqual(
      low.rlimits.map((limit) => limit.hard),
      [1_048_576, 65_536],
    );
  });

  it("hold with a warning where only the hard limit is out of reach", () => {
    const { rlimits, warnings } = planRlimits(
      [{ type: "RLIMIT_NOFILE", soft: 1000, hard: 50_000 }],
      facts({ hard: 20_000 }),
    );
    assert.deepEqual(rlimits.at(-1), { type: "RLIMIT_NOFILE", soft: 1000, hard: 20_000 });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /"nofile" is 20000 instead of 50000.*CAP_SYS_RESOURCE/);
  });

  it("are a clear error where the soft limit is out of reach", () => {
    const request = [{ type: "RLIMIT_MEMLOCK", soft: -1, hard: -1 }];
    assert.throws(() => planRlimits(request, facts({ hard: 8192 })), {
      code: "PERMISSION",
      errno: "EPERM",
      message: /"memlock" to unlimited: tsrun's own hard limit is 8192/,
    });
    assert.deepEqual(planRlimits(request, facts({ hard: 8192, maySetAny: true })).warnings, []);
  });

  it("name fs.nr_open where that is what forbids it", () => {
    const request = [{ type: "RLIMIT_NOFILE", soft: 2_000_000, hard: 2_000_000 }];
    assert.throws(() => planRlimits(request, facts({ maySetAny: true })), {
      code: "PERMISSION",
      message: /fs\.nr_open is 1048576/,
    });
  });

  it('are the later one of two, and the host\'s own with "host"', () => {
    const twice = planRlimits(
      [
        { type: "RLIMIT_CORE", soft: 1, hard: 1 },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
      facts({}),
    );
    assert.deepEqual(twice.rlimits.find((limit) => limit.type === "RLIMIT_CORE")?.soft, 0);
    assert.deepEqual(planRlimits(["host"], facts({})).rlimits, []);
    const mixed = planRlimits(["host", { type: "RLIMIT_CORE", soft: 0, hard: 0 }], facts({}));
    assert.deepEqual(mixed.rlimits, [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }]);
  });

  it("refuse a name that is none", () => {
    assert.throws(() => planRlimits([{ type: "RLIMIT_X", soft: 0, hard: 0 }], facts({})), {
      code: "INVALID_SPEC",
    });
  });

  it("never ask for a hard limit that the host refuses", () => {
    const value = fc.oneof(fc.nat(2 ** 31 - 1), fc.constant(-1));
    fc.assert(
      fc.property(value, value, value, fc.boolean(), (soft, hard, host, maySetAny) => {
        fc.pre(!exceeds(soft, hard));
        const here = facts({ hard: host, maySetAny });
        try {
          for (const limit of planRlimits([{ type: "RLIMIT_NOFILE", soft, hard }], here).rlimits) {
            assert.ok(!exceeds(limit.soft, limit.hard));
            if (!maySetAny) assert.ok(!exceeds(limit.hard, host));
          }
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "PERMISSION");
        }
      }),
    );
  });
});

it("reads /proc/PID/limits", () => {
  const limits = parseProcLimits(readFileSync("/proc/self/limits", "latin1"));
  assert.equal(Object.keys(limits).length, 16);
  for (const name of RLIMIT_NAMES) {
    assert.ok(Number.isInteger(limits[name].soft) && Number.isInteger(limits[name].hard), name);
  }
  assert.throws(() => parseProcLimits("Limit"), { code: "SYSTEM" });
});
