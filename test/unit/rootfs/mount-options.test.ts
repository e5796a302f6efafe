import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MOUNT_ATTR, MS } from "../../../src/rootfs/flags.ts";
import { merge, mountFlags, parseMountOptions } from "../../../src/rootfs/mount-options.ts";

const parse = (...options: string[]) => parseMountOptions(options, "mounts[0]");

describe("parseMountOptions", () => {
  it("lets the last of two opposites win", () => {
    assert.equal(parse("ro", "rw").attributes.set, 0);
    assert.equal(parse("rw", "ro").attributes.set, MOUNT_ATTR.RDONLY);
    assert.equal(parse("sync", "async").superblock, 0);
    assert.deepEqual(parse("shared", "rslave").propagation, { type: MS.SLAVE, recursive: true });
    assert.equal(parse("rbind", "bind").bind, "bind");
  });

  it("replaces one access time mode by another, as the kernel's one field needs", () => {
    const { attributes } = parse("noatime", "strictatime");
    assert.equal(attributes.set & MOUNT_ATTR.ATIME, MOUNT_ATTR.STRICTATIME);
    assert.equal(attributes.clear & MOUNT_ATTR.ATIME, MOUNT_ATTR.ATIME);
  });

  it("tells a recursive attribute from one whose name begins with r", () => {
    assert.equal(parse("rro").recursiveAttributes.set, MOUNT_ATTR.RDONLY);
    assert.equal(parse("rro").attributes.set, 0);
    assert.equal(parse("relatime").recursiveAttributes.clear, 0);
    assert.equal(parse("rrelatime").attributes.clear, 0);
    assert.equal(parse("rw").recursiveAttributes.clear, 0);
  });

  it("leaves what no table knows to the file system, in order", () => {
    assert.deepEqual(parse("size=1m", "ro", "mode=755", "constructor").data, [
      "size=1m",
      "mode=755",
      "constructor",
    ]);
  });

  it("takes the words of fstab that say nothing here, and refuses those that mean something else", () => {
    assert.deepEqual(parse("defaults", "nofail", "x-systemd.automount", "").data, []);
    for (const option of ["remount", "move", "loop", "user", "a\0b"]) {
      assert.throws(() => parse(option), { code: "INVALID_SPEC", origin: "mounts[0]" });
    }
  });

  it("tells the kinds of id map options apart", () => {
    assert.deepEqual(parse("idmap").idMap, { recursive: false, mappings: undefined });
    assert.deepEqual(parse("ridmap").idMap, { recursive: true, mappings: undefined });
    assert.deepEqual(parse("idmap=uids=0-1-2;gids=0-1-2").idMap, {
      recursive: false,
      mappings: "uids=0-1-2;gids=0-1-2",
    });
  });
});

describe("merge", () => {
  const change = fc.record({
    set: fc.integer({ min: 0, max: 255 }),
    clear: fc.integer({ min: 0, max: 255 }),
  });
  const apply = (flags: number, { set, clear }: { set: number; clear: number }) =>
    (flags & ~clear) | set;

  it("does at once what two changes do one after the other", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), change, change, (flags, first, second) => {
        assert.equal(apply(flags, merge(first, second)), apply(apply(flags, first), second));
      }),
    );
  });
});

describe("mountFlags", () => {
  it("says the attributes in mount(2)'s flags", () => {
    const { attributes } = parse("ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow");
    assert.equal(
      mountFlags(attributes.set),
      MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOATIME | MS.NOSYMFOLLOW,
    );
    assert.equal(mountFlags(parse("strictatime").attributes.set), MS.STRICTATIME);
  });
});
