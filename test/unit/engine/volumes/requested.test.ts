import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nameVolumes, volumeNames } from "../../../../src/engine/volumes/requested.ts";

function numbered(): () => string {
  let next = 0;
  return () => `new${++next}`;
}

describe("nameVolumes", () => {
  it("gives a volume without a name one, and marks it as the container's own", () => {
    const named = nameVolumes({ mounts: [{ type: "volume", target: "/a" }] }, [], numbered());
    assert.deepEqual(named.mounts, [
      { type: "volume", target: "/a", name: "new1", anonymous: true },
    ]);
  });

  it("leaves other mounts and names alone", () => {
    const mounts = [
      { type: "volume", name: "data", target: "/a" },
      { type: "bind", source: "/b", target: "/b" },
    ] as const;
    assert.deepEqual(nameVolumes({ mounts }, [], numbered()).mounts, mounts);
    assert.deepEqual(volumeNames({ mounts }), ["data"]);
  });

  it("adds what the image declares, where nothing else is mounted", () => {
    const request = { mounts: [{ type: "tmpfs", target: "/cache/" }] } as const;
    const declared = ["/cache", "/data", "/data/", "srv", "/"];
    assert.deepEqual(nameVolumes(request, declared, numbered()).mounts?.slice(1), [
      { type: "volume", name: "new1", anonymous: true, target: "/data" },
      { type: "volume", name: "new2", anonymous: true, target: "/srv" },
    ]);
  });

  it("makes them tmpfs or nothing if that is asked for", () => {
    const tmpfs = nameVolumes({ imageVolumes: "tmpfs" }, ["/data"], numbered());
    assert.deepEqual(tmpfs.mounts, [{ type: "tmpfs", target: "/data" }]);
    const ignored = nameVolumes({ imageVolumes: "ignore" }, ["/data"], numbered());
    assert.equal(ignored.mounts, undefined);
  });

  it("refuses a name that leads elsewhere", () => {
    const request = { mounts: [{ type: "volume", name: "../x", target: "/a" }] } as const;
    assert.throws(() => nameVolumes(request, [], numbered()), { code: "INVALID_ARGUMENT" });
  });
});
