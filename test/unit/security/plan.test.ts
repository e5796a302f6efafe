import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CAPABILITIES } from "../../../src/security/capabilities.ts";
import { planSecurity, type SecurityFacts } from "../../../src/security/plan.ts";
import { type LabelFacts, planApparmor, planSelinux } from "../../../src/security/plan-labels.ts";
import { MASKED_PATHS, planPaths, READONLY_PATHS } from "../../../src/security/plan-paths.ts";
import { RLIMIT_NAMES, type RlimitName } from "../../../src/security/rlimits.ts";

const none: LabelFacts = {
  apparmor: { enabled: false, profiles: undefined },
  selinux: { enabled: false, categories: "" },
};
const both: LabelFacts = {
  apparmor: { enabled: true, profiles: new Set(["mine", "with space"]) },
  selinux: {
    enabled: true,
    contexts: {
      process: "system_u:system_r:container_t:s0",
      file: "system_u:object_r:container_file_t:s0",
    },
    categories: "c1,c2",
  },
};
const unlimited = Object.fromEntries(
  RLIMIT_NAMES.map((name) => [name, { soft: -1, hard: -1 }]),
) as Record<RlimitName, { soft: number; hard: number }>;
const facts: SecurityFacts = {
  boundingSet: (1n << 41n) - 1n,
  arch: "x64",
  kernel: { major: 6, minor: 18 },
  seccompAvailable: true,
  rlimits: { current: unlimited, maySetAny: true, nrOpen: 1_048_576 },
  labels: none,
};

describe("a container without options", () => {
  const plan = planSecurity({ userIsRoot: true }, facts);

  it("has the defaults of everything", () => {
    assert.equal(plan.capabilities.bounding.length, 11);
    assert.equal(plan.seccomp?.defaultErrnoRet, 38);
    assert.deepEqual(plan.maskedPaths, MASKED_PATHS);
    assert.deepEqual(plan.readonlyPaths, READONLY_PATHS);
    assert.equal(plan.noNewPrivileges, false);
    assert.equal(plan.writableSys || plan.allDevices, false);
    assert.ok(!("apparmorProfile" in plan) && !("selinuxLabel" in plan));
  });

  it("has a filter that follows its capabilities", () => {
    const admin = planSecurity({ userIsRoot: true, capAdd: ["SYS_ADMIN"] }, facts);
    const allowsMount = (rules: typeof plan.seccomp) =>
      rules?.syscalls?.some(
        (rule) => rule.names.includes("mount") && rule.action === "SCMP_ACT_ALLOW",
      );
    assert.equal(allowsMount(plan.seccomp), false);
    assert.equal(allowsMount(admin.seccomp), true);
  });
});

describe("--privileged", () => {
  it("is all capabilities, no filter, no hidden paths, all devices", () => {
    const plan = planSecurity({ userIsRoot: true, privileged: true }, { ...facts, labels: both });
    assert.deepEqual(plan.capabilities.effective, CAPABILITIES);
    assert.equal(plan.seccomp, undefined);
    assert.deepEqual([plan.maskedPaths, plan.readonlyPaths], [[], []]);
    assert.ok(plan.writableSys && plan.allDevices);
    assert.equal(plan.apparmorProfile, "unconfined");
    assert.equal(plan.selinuxLabel, undefined);
  });

  it("keeps a filter and masks that were asked for", () => {
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
    const plan = planSecurity(
      { userIsRoot: true, privileged: true, seccomp, mask: ["/proc/keys"] },
      facts,
    );
    assert.equal(plan.seccomp?.defaultAction, "SCMP_ACT_ALLOW");
    assert.deepEqual(plan.maskedPaths, ["/proc/keys"]);
  });
});

describe("seccomp", () => {
  it("is left out when unconfined, and an error where the kernel has none", () => {
    const without = { ...facts, seccompAvailable: false };
    assert.equal(
      planSecurity({ userIsRoot: true, seccomp: "unconfined" }, without).seccomp,
      undefined,
    );
    assert.throws(() => planSecurity({ userIsRoot: true }, without), { code: "UNSUPPORTED" });
  });
});

describe("masked and read-only paths", () => {
  it("lose what unmask names, in both lists", () => {
    const plan = planPaths({ unmask: ["/proc/kcore:/proc/sys"] });
    assert.ok(!plan.maskedPaths.includes("/proc/kcore"));
    assert.ok(!plan.readonlyPaths.includes("/proc/sys"));
    assert.equal(plan.maskedPaths.length, MASKED_PATHS.length - 1);
  });

  it("lose what a pattern fits, within a component", () => {
    const plan = planPaths({ unmask: ["/proc/timer_*", "/sys/*"] });
    assert.deepEqual(
      MASKED_PATHS.filter((path) => !plan.maskedPaths.includes(path)),
      ["/proc/timer_list", "/proc/timer_stats", "/sys/firmware"],
    );
    assert.equal(planPaths({ unmask: ["/proc/."] }).maskedPaths.length, MASKED_PATHS.length);
  });

  it("are none with unmask=ALL, and what mask adds", () => {
    assert.deepEqual(planPaths({ unmask: ["all"] }), { maskedPaths: [], readonlyPaths: [] });
    assert.deepEqual(planPaths({ unmask: ["ALL"], mask: ["/a:/b/", "/a"] }).maskedPaths, [
      "/a",
      "/b",
    ]);
    assert.deepEqual(planPaths({ mask: ["/"] }).maskedPaths.at(-1), "/");
  });

  it("are absolute", () => {
    assert.throws(() => planPaths({ mask: ["proc/keys"] }), { code: "INVALID_ARGUMENT" });
    assert.throws(() => planPaths({ unmask: ["keys"] }), { code: "INVALID_ARGUMENT" });
  });
});

describe("AppArmor", () => {
  it("is not asked for by default", () => {
    assert.equal(planApparmor(undefined, both), undefined);
    assert.equal(planApparmor("unconfined", both), "unconfined");
    assert.equal(planApparmor("unconfined", none), undefined);
    assert.equal(planApparmor("mine", both), "mine");
  });

  it("is a clear error where it is missing", () => {
    assert.throws(() => planApparmor("mine", none), { code: "UNSUPPORTED" });
    assert.throws(() => planApparmor("yours", both), { code: "NOT_FOUND", message: /"yours"/ });
  });
});

describe("SELinux", () => {
  it("labels by the policy, with categories of the container's own", () => {
    assert.deepEqual(planSelinux([], both), {
      selinuxLabel: "system_u:system_r:container_t:s0:c1,c2",
      mountLabel: "system_u:object_r:container_file_t:s0:c1,c2",
    });
  });

  it("takes fields from label=", () => {
    assert.deepEqual(
      planSelinux(["type:spc_t", "level:s0:c9", "user:u", "role:r", "filetype:f_t"], both),
      { selinuxLabel: "u:r:spc_t:s0:c9", mountLabel: "u:object_r:f_t:s0:c9" },
    );
    assert.deepEqual(planSelinux(["disable"], both), {});
  });

  it("is a clear error where it is missing", () => {
    assert.deepEqual(planSelinux([], none), {});
    assert.deepEqual(planSelinux(["disable"], none), {});
    assert.throws(() => planSelinux(["type:x_t"], none), {
      code: "UNSUPPORTED",
      message: /type:x_t/,
    });
    const bare = { ...both, selinux: { enabled: true, categories: "c1,c2" } };
    assert.deepEqual(planSelinux([], bare), {});
    assert.throws(() => planSelinux(["type:x_t"], bare), {
      code: "UNSUPPORTED",
      message: /policy/,
    });
    assert.throws(() => planSelinux(["nonsense"], both), { code: "INVALID_ARGUMENT" });
    assert.throws(() => planSelinux(["type:"], both), { code: "INVALID_ARGUMENT" });
  });
});
