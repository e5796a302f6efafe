import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planOwnDirectories } from "../../../src/engine/own-directories.ts";

describe("the directories of a user who is not root", () => {
  it("are those of the XDG base directory specification", () => {
    const own = planOwnDirectories({ HOME: "/home/carol" }, "/run/user/1000");
    assert.deepEqual(own, {
      root: "/home/carol/.local/share/tsrun",
      runRoot: "/run/user/1000/tsrun",
      otherRunRoots: "/run/user/1000/tsrun-roots",
    });
    const elsewhere = planOwnDirectories({ HOME: "/home/carol", XDG_DATA_HOME: "/data" }, "/r");
    assert.equal(elsewhere.root, "/data/tsrun");
  });

  it("lie in the root where there is no runtime directory: nobody else can have made it", () => {
    const own = planOwnDirectories({ HOME: "/home/carol", XDG_DATA_HOME: "" }, undefined);
    assert.equal(own.runRoot, "/home/carol/.local/share/tsrun/run/tsrun");
    assert.equal(own.otherRunRoots, "/home/carol/.local/share/tsrun/run/tsrun-roots");
  });
});
