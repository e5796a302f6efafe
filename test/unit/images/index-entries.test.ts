import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type IndexEntry,
  nameOf,
  pointName,
  previousVersion,
  promoteVersion,
  removeNames,
  removePast,
  versionsOf,
} from "../../../src/images/index-entries.ts";

function point(entries: readonly IndexEntry[], name: string, digest: string) {
  const descriptor = { mediaType: "m", digest, size: 1 };
  return pointName(entries, { name, descriptor, now: "2026-01-01T00:00:00Z" });
}

function current(entries: readonly IndexEntry[], name: string): string | undefined {
  return entries.find((entry) => nameOf(entry) === name)?.digest;
}

function history(entries: readonly IndexEntry[], name: string): string[] {
  return versionsOf(entries, name).map(
    ({ version, digest, current: isCurrent }) => `${version}=${digest}${isCurrent ? "*" : ""}`,
  );
}

const THREE = point(point(point([], "app", "a"), "app", "b"), "app", "c");

describe("a name", () => {
  it("keeps what it pointed to", () => {
    assert.deepEqual(history(THREE, "app"), ["3=c*", "2=b", "1=a"]);
    assert.equal(current(THREE, "app"), "c");
  });

  it("gets no new version for what it points to already", () => {
    assert.deepEqual(history(point(THREE, "app", "c"), "app"), ["3=c*", "2=b", "1=a"]);
    assert.deepEqual(history(point(THREE, "app", "a"), "app"), ["4=a*", "3=c", "2=b", "1=a"]);
  });

  it("keeps ten versions besides the current one", () => {
    let entries: readonly IndexEntry[] = [];
    for (let at = 1; at <= 15; at += 1) entries = point(entries, "app", `d${at}`);
    const versions = versionsOf(entries, "app");
    assert.equal(versions.length, 11);
    assert.equal(versions.at(-1)?.version, 5);
    assert.equal(current(entries, "app"), "d15");
  });

  it("is promoted to any of its versions, and rolled back step by step", () => {
    const promote = (entries: readonly IndexEntry[], version: number) =>
      promoteVersion(entries, { name: "app", version, now: "2026-01-02T00:00:00Z" });
    const back = promote(THREE, previousVersion(THREE, "app"));
    assert.deepEqual(history(back, "app"), ["3=c", "2=b*", "1=a"]);
    const further = promote(back, previousVersion(back, "app"));
    assert.deepEqual(history(further, "app"), ["3=c", "2=b", "1=a*"]);
    assert.throws(() => previousVersion(further, "app"), /no earlier version/);
    assert.deepEqual(history(promote(further, 3), "app"), ["3=c*", "2=b", "1=a"]);
    assert.throws(() => promote(THREE, 7), /no version 7/);
    assert.throws(
      () => promoteVersion(THREE, { name: "other", version: 1, now: "" }),
      /no version/,
    );
  });

  it("goes with its versions, but not with another name's", () => {
    const entries = point(THREE, "other", "b");
    const left = removeNames(entries, new Set(["app"]), new Set());
    assert.deepEqual(
      left.map(({ digest }) => digest),
      ["b"],
    );
    assert.equal(current(left, "other"), "b");
  });

  it("leaves the image that somebody stands on, once and without a name", () => {
    const left = removeNames(THREE, new Set(["app"]), new Set(["b"]));
    assert.deepEqual(left, [{ mediaType: "m", digest: "b", size: 1, annotations: {} }]);
    assert.deepEqual(removePast(left, { versions: false, kept: new Set(["b"]) }), left);
    assert.deepEqual(removePast(left, { versions: false, kept: new Set() }), []);
    assert.deepEqual(history(point(left, "app", "b"), "app"), ["1=b*"]);
    assert.equal(point(left, "app", "b").length, 1);
  });

  it("loses its past by itself only when that is asked for", () => {
    assert.deepEqual(removePast(THREE, { versions: false, kept: new Set() }), THREE);
    const left = removePast(THREE, { versions: true, kept: new Set() });
    assert.deepEqual(history(left, "app"), ["3=c*"]);
  });
});
