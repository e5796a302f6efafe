import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type OverlayFacts, planOverlay } from "../../../src/overlay/index.ts";

const FACTS: OverlayFacts = {
  unfitFileSystem: undefined,
  userNamespace: false,
  features: new Set(["redirect_dir", "metacopy", "index", "xino_auto"]),
};
const UPPER = { dir: "/c/upper", work: "/c/work" };

describe("planOverlay", () => {
  it("makes an upper that is complete in itself, whatever the module's defaults are", () => {
    assert.deepEqual(planOverlay({ layers: ["/b", "/a"], upper: UPPER, facts: FACTS }), {
      kind: "overlay",
      lower: ["/b", "/a"],
      upper: UPPER,
      options: ["redirect_dir=off", "metacopy=off", "index=off", "xino=auto"],
      idMapped: false,
    });
  });

  it("asks for nothing that the kernel does not have", () => {
    const facts = { ...FACTS, features: new Set<never>() };
    const root = planOverlay({ layers: ["/a"], upper: UPPER, volatile: true, facts });
    assert.deepEqual(root.kind === "overlay" && root.options, ["volatile"]);
  });

  it("keeps its marks in users' attributes where the host's root is somebody else", () => {
    const facts = { ...FACTS, userNamespace: true };
    const root = planOverlay({ layers: ["/a"], upper: UPPER, facts });
    assert.deepEqual(root.kind === "overlay" && root.options, [
      "userxattr",
      "index=off",
      "xino=auto",
    ]);
  });

  it("leaves volatile out where there is no upper to lose", () => {
    const root = planOverlay({ layers: ["/a", "/b"], volatile: true, facts: FACTS });
    assert.ok(root.kind === "overlay" && !root.options.includes("volatile") && !root.upper);
  });

  it("refuses no layers, and more than the kernel stacks", () => {
    for (const count of [0, 501]) {
      const layers = Array.from({ length: count }, (_, index) => `/l${index}`);
      assert.throws(() => planOverlay({ layers, facts: FACTS }), { code: "OVERLAY_UNSUPPORTED" });
    }
  });

  it("does not mind the host's file system where the upper has one of its own", () => {
    const carrier = { at: "/c", fstype: "tmpfs", source: "tmpfs", data: "", directories: [] };
    const facts = { ...FACTS, unfitFileSystem: "nfs" };
    const root = planOverlay({ layers: ["/a"], upper: UPPER, carrier, facts });
    assert.deepEqual(root.kind === "overlay" && root.carrier, carrier);
  });

  it("refuses an upper where the file system cannot carry one, and says which it is", () => {
    const facts = { ...FACTS, unfitFileSystem: "nfs" };
    assert.throws(() => planOverlay({ layers: ["/a"], upper: UPPER, facts }), /nfs cannot carry/);
  });
});
