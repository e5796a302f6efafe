import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resolveUser } from "../../../../src/engine/bundle/user.ts";

const files = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "www:x:33:33::/var/www:/bin/false",
    "# a comment",
    "torn:x:",
    "1000:x:77:77::/odd:/bin/sh",
    "nohome:x:44:44:::",
  ].join("\n"),
  group: ["root:x:0:", "www:x:33:", "adm:x:4:root,www", "video:x:44:www", "broken"].join("\n"),
};

describe("the user of a container", () => {
  it("is root if nothing is said", () => {
    assert.deepEqual(resolveUser("", [], files), {
      uid: 0,
      gid: 0,
      additionalGids: [4],
      home: "/root",
    });
  });
  it("by name has the account's group, home and memberships", () => {
    assert.deepEqual(resolveUser("www", [], files), {
      uid: 33,
      gid: 33,
      additionalGids: [4, 44],
      home: "/var/www",
    });
  });
  it("by number is the same account, if there is one", () => {
    assert.deepEqual(resolveUser("33", [], files), resolveUser("www", [], files));
  });
  it("by number needs no account", () => {
    assert.deepEqual(resolveUser("5000", [], files), {
      uid: 5000,
      gid: 0,
      additionalGids: [],
      home: "/",
    });
  });
  it("by a name of digits is the account of that name", () => {
    assert.equal(resolveUser("1000", [], files).uid, 77);
  });
  it("with a group has that one and no memberships", () => {
    assert.deepEqual(resolveUser("www:video", [], files), {
      uid: 33,
      gid: 44,
      additionalGids: [],
      home: "/var/www",
    });
    assert.equal(resolveUser("www:9999", [], files).gid, 9999);
  });
  it("gets groups by name and number besides, each once", () => {
    assert.deepEqual(
      resolveUser("www:33", ["adm", "4", "33", "70"], files).additionalGids,
      [4, 70],
    );
  });
  it("has a home even where its account has none", () => {
    assert.equal(resolveUser("nohome", [], files).home, "/");
  });
  it("must exist if it is a name", () => {
    assert.throws(() => resolveUser("nobody", [], files), /no user "nobody"/);
    assert.throws(() => resolveUser("www:nogroup", [], files), /no group "nogroup"/);
    assert.throws(() => resolveUser("www", ["nogroup"], files), /no group "nogroup"/);
  });
  it("is no id beyond the largest", () => {
    assert.throws(() => resolveUser("4294967295", [], files), { code: "INVALID_ARGUMENT" });
    assert.throws(() => resolveUser("-1", [], files), { code: "INVALID_ARGUMENT" });
  });
  it("can be found in a container without any files", () => {
    const none = { passwd: "", group: "" };
    assert.equal(resolveUser("", [], none).home, "/root");
    assert.equal(resolveUser("7:8", [], none).gid, 8);
  });
});
