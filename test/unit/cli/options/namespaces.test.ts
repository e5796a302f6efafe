import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIpc, parseNamespace, parseNetwork } from "../../../../src/cli/options/namespaces.ts";
import { parseTimeOffset } from "../../../../src/cli/options/time-offset.ts";
import { parseIdMap, parseUserns } from "../../../../src/cli/options/userns.ts";
import { refuses } from "./refuses.ts";

describe("namespaces", () => {
  it("are private, the host's, a container's or a file's", () => {
    assert.deepEqual(parseNamespace("--pid", "private"), { kind: "private" });
    assert.deepEqual(parseNamespace("--pid", "host"), { kind: "host" });
    assert.deepEqual(parseNamespace("--pid", "container:web"), {
      kind: "container",
      container: "web",
    });
    assert.deepEqual(parseNamespace("--pid", "ns:/proc/1/ns/pid"), {
      kind: "path",
      path: "/proc/1/ns/pid",
    });
    assert.deepEqual(parseIpc("shareable"), { kind: "private" });
    assert.deepEqual(parseNetwork("none"), { kind: "private" });
  });
  for (const text of ["", "frob", "container:", "ns:relative", "ns:"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseNamespace("--pid", text), "--pid", text));
  }
  for (const text of ["bridge", "bridge:ip=10.0.0.2", "default", "pasta", "slirp4netns:x"]) {
    it(`says that --network ${text} is not there`, () =>
      refuses(() => parseNetwork(text), "--network", text, /not there yet/, "UNSUPPORTED"));
  }
  it("says that --ipc none is not there", () =>
    refuses(() => parseIpc("none"), "--ipc", "none", /./, "UNSUPPORTED"));
});

describe("parseUserns", () => {
  const parse = (userns?: string, uidmap: string[] = [], gidmap: string[] = []) =>
    parseUserns({ userns, uidmap, gidmap });
  const map = (containerID: number, hostID: number, size: number) => ({
    containerID,
    hostID,
    size,
  });

  it("reads host, auto and maps", () => {
    assert.equal(parse(), undefined);
    assert.deepEqual(parse("host"), { kind: "host" });
    assert.deepEqual(parse("auto"), { kind: "auto" });
    assert.deepEqual(parse("auto:size=1000"), { kind: "auto", size: 1000 });
    const maps = [map(0, 1000, 1), map(1, 5000, 10)];
    assert.deepEqual(parse("0:1000,1:5000:10"), { kind: "maps", uids: maps, gids: maps });
  });
  it("copies the one map that is given to the other", () => {
    const uids = [map(0, 100_000, 65_536)];
    assert.deepEqual(parse(undefined, ["0:100000:65536"]), { kind: "maps", uids, gids: uids });
    assert.deepEqual(parse("private", [], ["0:7:1"]), {
      kind: "maps",
      uids: [map(0, 7, 1)],
      gids: [map(0, 7, 1)],
    });
    assert.deepEqual(parse(undefined, ["0:1:1"], ["0:2:1"]), {
      kind: "maps",
      uids: [map(0, 1, 1)],
      gids: [map(0, 2, 1)],
    });
  });
  for (const text of ["frob", "auto:size=0", "auto:size=x", "auto:frob=1", ""]) {
    it(`refuses --userns ${JSON.stringify(text)}`, () =>
      refuses(() => parse(text), "--userns", text));
  }
  for (const text of ["keep-id", "nomap", "ns:/x", "container:a", "auto:uidmapping=0:1:1"]) {
    it(`says that --userns ${text} is not there`, () =>
      refuses(() => parse(text), "--userns", text, /./, "UNSUPPORTED"));
  }
  it("refuses a mode beside maps", () =>
    refuses(() => parse("auto", ["0:1:1"]), "--userns", "auto", /does not go with/));
  it("refuses ranges that overlap", () => {
    refuses(
      () => parse(undefined, ["0:1:10", "5:100:1"]),
      "--uidmap",
      "0:1:10 5:100:1",
      /container are mapped twice/,
    );
    refuses(
      () => parse(undefined, ["0:1:10", "50:3:1"]),
      "--uidmap",
      "0:1:10 50:3:1",
      /host are mapped twice/,
    );
  });
  for (const text of ["0", "0:1:0", "a:b:c", "0:1:2:3", "0:4294967295:1", "-1:0:1"]) {
    it(`refuses the map ${text}`, () =>
      refuses(() => parseIdMap("--uidmap", text), "--uidmap", text));
  }
  it("says that podman's marks are not there", () =>
    refuses(() => parseIdMap("--uidmap", "u0:1:2"), "--uidmap", "u0:1:2", /marks/, "UNSUPPORTED"));
});

describe("parseTimeOffset", () => {
  it("moves both clocks or one, in seconds or units", () => {
    assert.deepEqual(parseTimeOffset(["10"]), {
      monotonicNs: 10_000_000_000n,
      boottimeNs: 10_000_000_000n,
    });
    assert.deepEqual(parseTimeOffset(["monotonic=+1h,boottime=-30m"]), {
      monotonicNs: 3_600_000_000_000n,
      boottimeNs: -1_800_000_000_000n,
    });
    assert.deepEqual(parseTimeOffset(["monotonic=5ns"]), { monotonicNs: 5n });
    assert.deepEqual(parseTimeOffset(["1d", "boottime=2d"]), {
      monotonicNs: 86_400_000_000_000n,
      boottimeNs: 172_800_000_000_000n,
    });
  });
  for (const text of ["", "x", "1.5h", "realtime=1h", "monotonic=", "1y"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseTimeOffset([text]), "--time-offset", text));
  }
});
