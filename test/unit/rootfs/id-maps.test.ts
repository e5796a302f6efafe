import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostId, idMapsKey, idMapsNeeded, mountIdMaps } from "../../../src/rootfs/id-maps.ts";
import type { OciMount, OciSpec } from "../../../src/spec/index.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const WITH_USER = {
  linux: { namespaces: [{ type: "user" }], uidMappings: MAPS, gidMappings: MAPS },
} as Pick<OciSpec, "linux">;
const WITHOUT_USER = { linux: { namespaces: [] } } as Pick<OciSpec, "linux">;
const mount = (...options: string[]): OciMount => ({
  destination: "/v",
  type: "bind",
  source: "/s",
  options,
});
const mapsOf = (options: string, spec = WITH_USER) =>
  mountIdMaps(mount(options), spec, "mounts[0]");

describe("mountIdMaps", () => {
  it("takes the container's maps where the option has none", () => {
    assert.deepEqual(mapsOf("idmap"), { uids: MAPS, gids: MAPS });
    assert.equal(mapsOf("ro"), undefined);
  });

  it("reads podman's ranges", () => {
    assert.deepEqual(mapsOf("idmap=uids=0-1-10#20-2000-5;gids=0-100-10"), {
      uids: [
        { containerID: 0, hostID: 1, size: 10 },
        { containerID: 20, hostID: 2000, size: 5 },
      ],
      gids: [{ containerID: 0, hostID: 100, size: 10 }],
    });
  });

  it("counts a range with @ by the container's ids", () => {
    const maps = mapsOf("idmap=uids=@0-5-10;gids=0-@7-1");
    assert.equal(maps?.uids[0]?.hostID, 100_005);
    assert.equal(maps?.gids[0]?.hostID, 100_007);
  });

  it("refuses ranges that are malformed, empty, beyond 32 bits or not the container's", () => {
    for (const text of [
      "uids=0-0-1",
      "uids=0-0-0;gids=0-0-1",
      "uids=a-0-1;gids=0-0-1",
      "uids=0-4294967295-1;gids=0-0-1",
      "uids=@0-65536-1;gids=0-0-1",
      "uids=0-0-1;gids=0-0-1;pids=0-0-1",
    ]) {
      assert.throws(() => mapsOf(`idmap=${text}`), { code: "INVALID_SPEC" }, text);
    }
  });

  it("wants a map from somewhere, and both halves of it", () => {
    assert.throws(() => mapsOf("idmap", WITHOUT_USER), { code: "INVALID_SPEC" });
    assert.throws(() => mountIdMaps({ ...mount(), uidMappings: MAPS }, WITH_USER, "mounts[0]"), {
      code: "INVALID_SPEC",
    });
  });
});

describe("idMapsNeeded", () => {
  it("lists equal maps once, the root's and the mounts'", () => {
    const root = { kind: "overlay", lower: ["/l"], options: [], idMapped: true } as const;
    const mounts = [mount("idmap"), mount("bind"), mount("idmap=uids=0-1-1;gids=0-1-1")];
    const needed = idMapsNeeded({ ...WITH_USER, mounts }, root);
    assert.equal(needed.size, 2);
    assert.ok(needed.has(idMapsKey({ uids: MAPS, gids: MAPS })));
  });
});

describe("hostId", () => {
  it("translates what is mapped and shows the rest as nobody", () => {
    assert.equal(hostId(0, MAPS), 100_000);
    assert.equal(hostId(65_535, MAPS), 165_535);
    assert.equal(hostId(65_536, MAPS), 65_534);
  });
});
