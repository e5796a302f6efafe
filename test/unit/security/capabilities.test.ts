import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  CAPABILITIES,
  capabilityMask,
  capabilityNames,
  DEFAULT_CAPABILITIES,
  parseCapability,
} from "../../../src/security/capabilities.ts";
import { planCapabilities } from "../../../src/security/plan-capabilities.ts";

const ALL = { boundingSet: (1n << 41n) - 1n };
const someNames = fc.subarray([...CAPABILITIES]);

describe("capability names", () => {
  it("have the kernel's numbers", (t) => {
    const path = "/usr/include/linux/capability.h";
    if (!existsSync(path)) return t.skip(`needs ${path}`);
    const header = readFileSync(path, "utf8");
    const defined = [...header.matchAll(/^#define (CAP_\w+)\s+(\d+)$/gm)];
    assert.equal(defined.length, CAPABILITIES.length);
    for (const [, name, number] of defined) assert.equal(CAPABILITIES[Number(number)], name);
  });

  it("are taken in any case, with and without CAP_", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CAPABILITIES),
        fc.boolean(),
        fc.boolean(),
        (name, lower, short) => {
          const text = short ? name.slice("CAP_".length) : name;
          assert.equal(parseCapability(lower ? text.toLowerCase() : text), name);
        },
      ),
    );
  });

  it("are refused when Linux has no such capability", () => {
    for (const text of ["", "CAP_", "NET", "CAP_CAP_CHOWN", "ALL"]) {
      assert.throws(() => parseCapability(text), { code: "INVALID_ARGUMENT" }, text);
    }
    assert.throws(() => capabilityMask(["CHOWN"]), { code: "INVALID_SPEC" });
  });

  it("become bits and come back", () => {
    fc.assert(
      fc.property(someNames, (names) => {
        assert.deepEqual(capabilityNames(capabilityMask(names)), names);
      }),
    );
    assert.equal(capabilityMask(["CAP_CHECKPOINT_RESTORE"]), 1n << 40n);
  });
});

describe("the sets of a container's first process", () => {
  it("are podman's default for root, with nothing inheritable or ambient", () => {
    const sets = planCapabilities({ userIsRoot: true }, ALL);
    assert.deepEqual(sets.bounding, DEFAULT_CAPABILITIES);
    assert.deepEqual(sets.effective, DEFAULT_CAPABILITIES);
    assert.deepEqual(sets.permitted, DEFAULT_CAPABILITIES);
    assert.deepEqual(sets.inheritable, []);
    assert.deepEqual(sets.ambient, []);
  });

  it("give another user nothing but the bound on what set-user-ID programs may reach", () => {
    const sets = planCapabilities({ userIsRoot: false }, ALL);
    assert.deepEqual(sets.bounding, DEFAULT_CAPABILITIES);
    for (const set of ["effective", "permitted", "inheritable", "ambient"] as const) {
      assert.deepEqual(sets[set], []);
    }
  });

  it("give another user what was added by name, through execve", () => {
    const sets = planCapabilities({ userIsRoot: false, add: ["net_raw", "CHOWN"] }, ALL);
    for (const set of ["effective", "permitted", "inheritable", "ambient"] as const) {
      assert.deepEqual(sets[set], ["CAP_CHOWN", "CAP_NET_RAW"]);
    }
    assert.ok(sets.bounding.includes("CAP_NET_RAW") && sets.bounding.includes("CAP_SETUID"));
  });

  it("follow --cap-drop=ALL and what is added back", () => {
    const sets = planCapabilities({ userIsRoot: true, add: ["KILL"], drop: ["all"] }, ALL);
    assert.deepEqual(sets.bounding, ["CAP_KILL"]);
    assert.deepEqual(sets.effective, ["CAP_KILL"]);
    assert.deepEqual(planCapabilities({ userIsRoot: true, drop: ["ALL"] }, ALL).bounding, []);
  });

  it("follow --cap-add=ALL less what is dropped", () => {
    const sets = planCapabilities({ userIsRoot: true, add: ["ALL"], drop: ["SYS_ADMIN"] }, ALL);
    assert.deepEqual(
      sets.bounding,
      CAPABILITIES.filter((name) => name !== "CAP_SYS_ADMIN"),
    );
  });

  it("are all that the host has for a privileged container", () => {
    const boundingSet = ALL.boundingSet & ~(1n << 24n);
    const sets = planCapabilities({ userIsRoot: true, privileged: true }, { boundingSet });
    assert.deepEqual(
      sets.effective,
      CAPABILITIES.filter((name) => name !== "CAP_SYS_RESOURCE"),
    );
    assert.deepEqual(planCapabilities({ userIsRoot: false, privileged: true }, ALL).effective, []);
  });

  it("leave out a default that the host lacks but refuse one asked for by name", () => {
    const boundingSet = capabilityMask(["CAP_CHOWN", "CAP_KILL"]);
    assert.deepEqual(planCapabilities({ userIsRoot: true }, { boundingSet }).bounding, [
      "CAP_CHOWN",
      "CAP_KILL",
    ]);
    assert.throws(() => planCapabilities({ userIsRoot: true, add: ["NET_RAW"] }, { boundingSet }), {
      code: "PERMISSION",
      message: /"CAP_NET_RAW"/,
    });
    const all = planCapabilities({ userIsRoot: true, add: ["ALL"] }, { boundingSet });
    assert.deepEqual(all.bounding, ["CAP_CHOWN", "CAP_KILL"]);
  });

  it("refuse contradictions", () => {
    const plan = (add: string[], drop: string[]) => () =>
      planCapabilities({ userIsRoot: true, add, drop }, ALL);
    assert.throws(plan(["KILL"], ["cap_kill"]), {
      code: "INVALID_ARGUMENT",
      message: /"CAP_KILL"/,
    });
    assert.throws(plan(["ALL"], ["ALL"]), { code: "INVALID_ARGUMENT" });
    assert.throws(plan(["NONSENSE"], []), { code: "INVALID_ARGUMENT", message: /"NONSENSE"/ });
  });

  it("never hold more than the bounding set, nor the bounding set more than the host's", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, ALL.boundingSet),
        someNames,
        someNames,
        fc.boolean(),
        fc.boolean(),
        (boundingSet, wanted, dropped, userIsRoot, privileged) => {
          const add = wanted.filter((name) => (capabilityMask([name]) & boundingSet) !== 0n);
          const drop = dropped.filter((name) => !add.includes(name));
          const sets = planCapabilities({ add, drop, userIsRoot, privileged }, { boundingSet });
          const bounding = capabilityMask(sets.bounding);
          assert.equal(bounding & ~boundingSet, 0n);
          for (const set of ["effective", "permitted", "inheritable", "ambient"] as const) {
            assert.equal(capabilityMask(sets[set]) & ~bounding, 0n, set);
          }
          // capabilities(7): ambient must be both permitted and inheritable.
          const both = capabilityMask(sets.permitted) & capabilityMask(sets.inheritable);
          assert.equal(capabilityMask(sets.ambient) & ~both, 0n);
          if (!privileged) assert.equal(bounding & capabilityMask(drop), 0n);
          for (const name of add) assert.ok(sets.bounding.includes(name));
        },
      ),
    );
  });
});
