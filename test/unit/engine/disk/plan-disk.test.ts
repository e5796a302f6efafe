import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planDisk } from "../../../../src/engine/disk/plan-disk.ts";
import type { ContainerRequest } from "../../../../src/engine/index.ts";

const disk = { sizeBytes: 2 ** 30 };
const auto = { namespaces: { user: { kind: "auto" } } } as const;

const CASES: readonly (readonly [string, ContainerRequest, "quota" | "image"])[] = [
  ["anything usual", {}, "quota"],
  ["what is allocated at once", { disk: { ...disk, alloc: "static" } }, "image"],
  ["what is sparse", { disk: { ...disk, alloc: "sparse" } }, "quota"],
  ["a harmless capability", { capAdd: ["NET_ADMIN"] }, "quota"],
  ["what may set limits", { capAdd: ["CAP_SYS_ADMIN"] }, "image"],
  ["what may pass limits", { capAdd: ["sys_resource"] }, "image"],
  ["all capabilities", { capAdd: ["all"] }, "image"],
  ["what is privileged", { privileged: true }, "image"],
  ["no filter", { security: { seccomp: "unconfined" } }, "image"],
  ["a filter of its own", { security: { seccomp: "/profile.json" } }, "image"],
  ["ids of its own, whatever it may", { ...auto, privileged: true }, "quota"],
  ["the host's ids", { namespaces: { user: { kind: "host" } }, privileged: true }, "image"],
];

describe("a disk", () => {
  for (const [what, request, kind] of CASES) {
    it(`is kept to its size by ${kind === "quota" ? "a quota" : "a file"} for ${what}`, () => {
      assert.equal(planDisk({ disk, ...request }, { projectQuota: true }), kind);
    });
  }

  it("is a file where there are no project quotas", () => {
    for (const [, request] of CASES) {
      assert.equal(planDisk({ disk, ...request }, { projectQuota: false }), "image");
    }
  });
});
