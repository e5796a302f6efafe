import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseBuildSecret } from "../../../../src/cli/options/secret.ts";

describe("build --secret", () => {
  it("names a file or a variable", () => {
    assert.deepEqual(parseBuildSecret("id=a,src=/f"), {
      ...{ id: "a", source: { kind: "file", path: "/f" } },
    });
    assert.deepEqual(parseBuildSecret("source=f=g,id=a"), {
      ...{ id: "a", source: { kind: "file", path: "f=g" } },
    });
    assert.deepEqual(parseBuildSecret("id=a"), { id: "a", source: { kind: "file", path: "a" } });
    const variable = { id: "a", source: { kind: "env", name: "V" } };
    assert.deepEqual(parseBuildSecret("id=a,env=V"), variable);
    assert.deepEqual(parseBuildSecret("id=a,type=env,src=V"), variable);
  });

  it("refuses what it cannot mean", () => {
    for (const text of ["", "src=f", "id=a/b,src=f", "id=a,x=y", "id=a,env=V,src=f", "id=a,type=x"])
      assert.throws(() => parseBuildSecret(text), /--secret/);
  });
});
