/**
 * A Debian of more than 10,000 files, some of them as odd as files can be, imported and exported: in
 * each place it is, file by file, what GNU tar makes of the same archive.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setXattr } from "../../../src/ffi/index.ts";
import { Cli } from "../../support/cli.ts";
import { gnuTarCommand, xattrLines } from "../../support/gnu-tar.ts";
import { debianRoot, debianRootUnavailable } from "../../support/roots.ts";

/** cap_net_raw=ep, struct vfs_cap_data of revision 2. */
const CAP_NET_RAW = Buffer.from("0100000200200000000000000000000000000000", "hex");
/** struct posix_acl_xattr: u::rw, u:1234:rw, g::r, g:5678:r, m::rw, o::r. */
const ACCESS_ACL = Buffer.from(
  "0200000001000600ffffffff02000600d204000004000400ffffffff080004002e16000010000600ffffffff20000400ffffffff",
  "hex",
);
/** u::rwx, u:33:rwx, g::rx, m::rwx, o::rx. */
const DEFAULT_ACL = Buffer.from(
  "0200000001000700ffffffff020007002100000004000500ffffffff10000700ffffffff20000500ffffffff",
  "hex",
);
const PLAIN_FILES = 4000;

describe("a Debian tree", { skip: debianRootUnavailable() ?? false }, () => {
  let cli: Cli;
  let unpacked: string;
  let expected: string;
  let expectedXattrs: readonly string[];

  const sh = (command: string) =>
    execFileSync("bash", ["-e", "-o", "pipefail", "-c", command], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 2 ** 30,
    }).trim();
  const tarOf = (directory: string) => gnuTarCommand(directory, "-", { xattrs: false });
  /** One digest of all that GNU tar can say of a tree, but for attributes, whose order may be any. */
  const digest = (directory: string) => sh(`${tarOf(directory)} | sha256sum`);
  const untar = (archive: string, directory: string) => {
    mkdirSync(directory);
    sh(`tar --xattrs '--xattrs-include=*' --numeric-owner -S -p -C ${directory} -xf ${archive}`);
  };
  /** Fails with what is different, as GNU tar lists it. */
  const assertSame = (directory: string) => {
    assert.deepEqual(xattrLines(directory), expectedXattrs);
    if (digest(directory) === expected) return;
    const list = (of: string) =>
      sh(`${tarOf(of)} | tar --full-time --numeric-owner -tvf -`).split("\n");
    assert.deepEqual(list(directory), list(unpacked));
    assert.fail("the same files, with other contents");
  };

  before(async () => {
    cli = await Cli.open({ image: false });
    const odd = cli.file("odd");
    makeOddFiles(odd);
    const archive = cli.file("debian.tar");
    const options = "--format=posix --xattrs '--xattrs-include=*' --numeric-owner -S";
    sh(`tar ${options} -cf ${archive} -C ${await debianRoot()} . -C ${odd} ./odd`);
    unpacked = cli.file("unpacked");
    untar(archive, unpacked);
    expected = digest(unpacked);
    expectedXattrs = xattrLines(unpacked);
    assert.ok(expectedXattrs.length > 5, expectedXattrs.join("\n"));
  });
  after(() => cli?.[Symbol.asyncDispose]());

  it("has more than 10,000 files", () => {
    const count = Number(sh(`find ${unpacked} | wc -l`));
    assert.ok(count > 10_000, String(count));
  });

  it("is unpacked by an import as GNU tar unpacks it", async () => {
    await cli.ok("import", "-q", cli.file("debian.tar"), "debian:archive");
    const layers = join(cli.base, "root/images/layers");
    const [layer = ""] = readdirSync(layers);
    assertSame(join(layers, layer));
    await cli.ok("image", "rm", "debian:archive");
  });

  it("is the same after an import as a directory, and an export", async () => {
    await cli.ok("import", "-q", unpacked, "debian:directory");
    await cli.ok("create", "--name", "tree", "debian:directory", "sh");
    const archive = cli.file("exported.tar");
    await cli.ok("export", "-o", archive, "tree");
    const again = cli.file("again");
    untar(archive, again);
    assertSame(again);
  });
});

function makeOddFiles(base: string): void {
  const odd = join(base, "odd");
  mkdirSync(join(odd, "many"), { recursive: true });
  for (let at = 0; at < PLAIN_FILES; at += 1) {
    const directory = join(odd, "many", String(at % 50));
    if (at < 50) mkdirSync(directory, { mode: 0o700 + (at % 8) });
    const path = join(directory, `file-${at}`);
    writeFileSync(path, "x".repeat(at), { mode: 0o600 + (at % 64) });
    utimesSync(path, at, at + at / 7919);
  }
  writeFileSync(join(odd, "linked"), "linked");
  linkSync(join(odd, "linked"), join(odd, "a-link"));
  linkSync(join(odd, "linked"), join(odd, "many/0/z-link"));
  symlinkSync("/nowhere/at all", join(odd, "symlink"));
  lutimesSync(join(odd, "symlink"), 1, 123_456_789.25);
  linkSync(join(odd, "symlink"), join(odd, "symlink-linked"));
  symlinkSync("t".repeat(300), join(odd, "symlink-long"));
  const deep = join(odd, "d".repeat(120), "e".repeat(120), "f".repeat(200));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "g".repeat(255)), "deep");
  writeFileSync(
    Buffer.concat([Buffer.from(join(odd, "bytes-")), Buffer.from([0xff, 0x0a, 0x80])]),
    "",
  );
  writeFileSync(join(odd, "ünïcödé 漢字"), "");
  writeFileSync(join(odd, "owned"), "");
  chownSync(join(odd, "owned"), 123_456_789, 4_000_000_000);
  for (const [name, mode] of [
    ["nothing", 0],
    ["setuid", 0o6755],
    ["sticky", 0o1644],
  ] as const) {
    writeFileSync(join(odd, name), name);
    chmodSync(join(odd, name), mode);
  }
  for (const [name, value] of [
    ["user.text", Buffer.from("text")],
    ["user.binary", Buffer.from([0, 10, 255, 61, 32])],
    ["user.long", Buffer.alloc(3000, "v")],
    ["trusted.kept", Buffer.from("1")],
    ["security.capability", CAP_NET_RAW],
  ] as const) {
    setXattr(join(odd, "setuid"), name, value);
  }
  setXattr(odd, "trusted.directory", Buffer.from("2"));
  writeFileSync(join(odd, "acl"), "");
  setXattr(join(odd, "acl"), "system.posix_acl_access", ACCESS_ACL);
  mkdirSync(join(odd, "acls/below"), { recursive: true });
  writeFileSync(join(odd, "acls/plain"), "no ACL of its own");
  setXattr(join(odd, "acls"), "system.posix_acl_default", DEFAULT_ACL);
  const old = join(odd, "old");
  writeFileSync(old, "before the epoch");
  execFileSync("touch", ["-d", "1935-01-08 04:35:00.123456789 UTC", old]);
  const future = join(odd, "future");
  writeFileSync(future, "beyond 32 bits");
  execFileSync("touch", ["-d", "2300-01-01 00:00:00.000000001 UTC", future]);
  const sparse = openSync(join(odd, "sparse"), "w");
  ftruncateSync(sparse, 20_000_000);
  writeFileSync(sparse, "start");
  execFileSync("mknod", [join(odd, "char"), "c", "5", "1"]);
  execFileSync("mknod", [join(odd, "block"), "b", "259", "70000"]);
  execFileSync("mkfifo", [join(odd, "fifo")]);
  chmodSync(odd, 0o2775);
  assert.equal(readFileSync(join(odd, "linked"), "utf8"), "linked");
}
