import assert from "node:assert/strict";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import {
  AT_FDCWD,
  chmodAt,
  chownAt,
  existsInRoot,
  linkAt,
  makeDirectoriesInRoot,
  makeDirectoryAt,
  makeNodeAt,
  openat2,
  openInRoot,
  openRoot,
  RESOLVE,
  readFileInRoot,
  readLinkInRoot,
  renameAt,
  setTimesAt,
  statInRoot,
  statx,
  symlinkAt,
  unlinkAt,
  writeFileInRoot,
} from "../../../src/ffi/index.ts";
import { syscallErrno } from "../../../src/ffi/libc.ts";

const base = mkdtempSync(join(tmpdir(), "tsrun-in-root-"));
const host = join(base, "host");
const rootPath = join(base, "root");
mkdirSync(host);
mkdirSync(rootPath);
writeFileSync(join(host, "secret"), "secret");
const root = openRoot(rootPath);
after(() => {
  closeSync(root);
  rmSync(base, { recursive: true });
});

describe("a root that is not trusted", () => {
  it("is where absolute links and .. lead", () => {
    mkdirSync(join(rootPath, "etc"));
    writeFileSync(join(rootPath, "etc/passwd"), "of the container");
    symlinkSync("/etc/passwd", join(rootPath, "absolute"));
    symlinkSync("../../../../../etc/passwd", join(rootPath, "etc/relative"));
    for (const path of ["absolute", "etc/relative", "../../etc/passwd", "/etc/../../etc/passwd"]) {
      assert.equal(Buffer.from(readFileInRoot(root, path)).toString(), "of the container", path);
    }
  });

  it("never shows or changes a file of the host", () => {
    symlinkSync(join(host, "secret"), join(rootPath, "escape"));
    symlinkSync(`../host`, join(rootPath, "up"));
    for (const path of ["escape", "up/secret", "../host/secret", join(host, "secret")]) {
      assert.throws(() => readFileInRoot(root, path), { errno: "ENOENT" }, path);
      assert.ok(!existsInRoot(root, path));
    }
    // Creating through the link creates below the root, where its directory is missing.
    assert.throws(() => writeFileInRoot(root, "escape", "changed"), { errno: "ENOENT" });
    assert.equal(readFileSync(join(host, "secret"), "latin1"), "secret");
    closeSync(makeDirectoriesInRoot(root, "/up-made/../a/b"));
    assert.deepEqual(readdirSync(host), ["secret"]);
  });

  it("does not follow the kernel's magic links", () => {
    symlinkSync("/proc/self/root", join(rootPath, "magic"));
    assert.throws(() => openInRoot(root, "magic/etc/passwd"), { errno: "ENOENT" });
    const procRoot = openRoot("/proc");
    assert.throws(() => openInRoot(procRoot, "self/root"), { errno: "ELOOP" });
    closeSync(procRoot);
  });

  it("is read only as far as it is regular files of a sane size", () => {
    makeNodeAt(root, "fifo", { mode: constants.S_IFIFO | 0o600 });
    assert.throws(() => readFileInRoot(root, "fifo"), { code: "INVALID_ARGUMENT" });
    assert.throws(() => writeFileInRoot(root, "fifo", "x"), { code: "INVALID_ARGUMENT" });
    assert.throws(() => readFileInRoot(root, "etc"), { code: "INVALID_ARGUMENT" });
    writeFileSync(join(rootPath, "large"), Buffer.alloc(100_001));
    assert.throws(() => readFileInRoot(root, "large", { maxBytes: 100_000 }), {
      code: "INVALID_ARGUMENT",
    });
    assert.equal(readFileInRoot(root, "large", { maxBytes: 100_001 }).length, 100_001);
  });

  it("is written whole, shorter than before too", () => {
    writeFileInRoot(root, "/etc/hosts", "a long line\n", { mode: 0o640 });
    writeFileInRoot(root, "/etc/hosts", "short\n");
    assert.equal(readFileSync(join(rootPath, "etc/hosts"), "latin1"), "short\n");
    assert.equal(statSync(join(rootPath, "etc/hosts")).mode & 0o777, 0o640 & ~process.umask());
  });

  it("gets directories, through links too, and dangling links refused", () => {
    mkdirSync(join(rootPath, "real"));
    symlinkSync("/real", join(rootPath, "alias"));
    const fd = makeDirectoriesInRoot(root, "alias/x/./y//z", 0o700);
    assert.equal(fstatSync(fd).ino, statSync(join(rootPath, "real/x/y/z")).ino);
    closeSync(fd);
    closeSync(makeDirectoriesInRoot(root, "alias/x/y/z"));
    symlinkSync("/nowhere", join(rootPath, "dangling"));
    assert.throws(() => makeDirectoriesInRoot(root, "dangling/x"), { errno: "ENOENT" });
    assert.throws(() => makeDirectoriesInRoot(root, "etc/passwd/x"), { errno: "ENOTDIR" });
    assert.ok(!existsSync("/nowhere"));
  });

  it("survives ..: the parent of a directory that was just made", () => {
    closeSync(makeDirectoriesInRoot(root, "one/two/../three"));
    assert.ok(existsSync(join(rootPath, "one/three")));
    assert.ok(existsSync(join(rootPath, "one/two")));
  });

  it("tells what is there", () => {
    writeFileSync(join(rootPath, "file"), "12345");
    symlinkSync("file", join(rootPath, "link"));
    assert.equal(statInRoot(root, "link").size, 5n);
    const link = statInRoot(root, "link", { follow: false });
    assert.equal(link.mode & constants.S_IFMT, constants.S_IFLNK);
    assert.equal(Buffer.from(readLinkInRoot(root, "link")).toString(), "file");
    assert.throws(() => readLinkInRoot(root, "file"), { errno: "EINVAL" });
    assert.throws(() => statInRoot(root, "missing"), { errno: "ENOENT", subject: "missing" });
  });
});

describe("statx", () => {
  it("agrees with stat(2)", () => {
    const path = join(rootPath, "numbers");
    writeFileSync(path, "abc", { mode: 0o600 });
    linkSync(path, `${path}2`);
    const ours = statx(AT_FDCWD, path);
    const nodes = statSync(path, { bigint: true });
    assert.equal(BigInt(ours.mode), nodes.mode);
    assert.equal(ours.ino, nodes.ino);
    assert.equal(BigInt(ours.nlink), nodes.nlink);
    assert.equal(ours.size, nodes.size);
    assert.equal(ours.blocks, nodes.blocks);
    assert.equal(ours.mtimeNs, nodes.mtimeNs);
    assert.equal(ours.ctimeNs, nodes.ctimeNs);
    assert.equal(ours.atimeNs, nodes.atimeNs);
    assert.equal(ours.isMountRoot, false);
  });

  it("knows mounts and devices", () => {
    const proc = statx(AT_FDCWD, "/proc");
    assert.ok(proc.isMountRoot);
    const line = readFileSync("/proc/self/mountinfo", "latin1").match(
      /^(\d+) \d+ \S+ \S+ \/proc /m,
    );
    assert.equal(proc.mountId, BigInt(line?.[1] ?? 0));
    const zero = statx(AT_FDCWD, "/dev/zero");
    assert.deepEqual([zero.rdevMajor, zero.rdevMinor], [1, 5]);
  });
});

describe("entries of an open directory", () => {
  const path = join(rootPath, "entries");
  mkdirSync(path);
  const dir = openRoot(path);
  after(() => closeSync(dir));

  it("are made of every type", () => {
    makeDirectoryAt(dir, "d", 0o755);
    makeNodeAt(dir, "null", { mode: constants.S_IFCHR | 0o666, major: 1, minor: 3 });
    makeNodeAt(dir, "big", { mode: constants.S_IFBLK | 0o600, major: 259, minor: 0x12345 });
    symlinkAt("../anywhere", dir, "l");
    makeNodeAt(dir, "empty", { mode: constants.S_IFREG | 0o600 });
    linkAt(dir, "empty", dir, "hard");
    linkAt(dir, "l", dir, "hardlink-to-link");
    const big = statx(dir, "big");
    assert.deepEqual([big.rdevMajor, big.rdevMinor], [259, 0x12345]);
    assert.equal(statx(dir, "null").rdevMinor, 3);
    assert.equal(readlinkSync(join(path, "l")), "../anywhere");
    assert.equal(statx(dir, "hard").nlink, 2);
    assert.equal(statx(dir, "hardlink-to-link").mode & constants.S_IFMT, constants.S_IFLNK);
    assert.throws(() => makeDirectoryAt(dir, "d", 0o755), { errno: "EEXIST", subject: "d" });
  });

  it("may have names that are not UTF-8", () => {
    const name = Uint8Array.of(0x66, 0xff, 0xfe);
    makeDirectoryAt(dir, name, 0o755);
    const names = readdirSync(path, { encoding: "buffer" });
    assert.ok(names.some((found) => found.equals(name)));
    unlinkAt(dir, name, { directory: true });
  });

  it("change owner, mode and times, never through a link", () => {
    writeFileSync(join(host, "target"), "", { mode: 0o600 });
    symlinkSync(join(host, "target"), join(path, "trap"));
    chownAt(dir, "trap", 1234, 5678);
    assert.equal(statx(dir, "trap").uid, 1234);
    setTimesAt(dir, "trap", { atimeNs: 1n, mtimeNs: 2n });
    assert.throws(() => chmodAt(dir, "trap", 0o777), { errno: "EOPNOTSUPP" });
    const target = statSync(join(host, "target"), { bigint: true });
    assert.deepEqual([target.uid, target.mode & 0o777n], [0n, 0o600n]);
    assert.ok(target.mtimeNs > 1_000_000_000n);

    writeFileSync(join(path, "plain"), "");
    chownAt(dir, "plain", 12, 34);
    chmodAt(dir, "plain", 0o4711);
    setTimesAt(dir, "plain", { atimeNs: -1n, mtimeNs: 1_700_000_000_123_456_789n });
    const plain = statx(dir, "plain");
    assert.deepEqual([plain.uid, plain.gid, plain.mode & 0o7777], [12, 34, 0o4711]);
    assert.equal(plain.mtimeNs, 1_700_000_000_123_456_789n);
    assert.equal(plain.atimeNs, -1n);
  });

  it("are renamed, kept or exchanged, and removed", () => {
    writeFileSync(join(path, "first"), "1");
    writeFileSync(join(path, "second"), "2");
    const [first, second] = [
      { dirFd: dir, name: "first" },
      { dirFd: dir, name: "second" },
    ];
    assert.throws(() => renameAt(first, second, "keep"), { errno: "EEXIST" });
    renameAt(first, second, "exchange");
    assert.equal(readFileSync(join(path, "first"), "latin1"), "2");
    renameAt(first, second);
    assert.equal(readFileSync(join(path, "second"), "latin1"), "2");
    unlinkAt(dir, "second");
    assert.throws(() => unlinkAt(dir, "second"), { errno: "ENOENT" });
    assert.throws(() => unlinkAt(dir, "d"), { errno: "EISDIR" });
    unlinkAt(dir, "d", { directory: true });
  });
});

it("openat2 takes its own words for how to resolve", () => {
  const dir = openRoot(rootPath);
  const flags = constants.O_RDONLY;
  assert.throws(() => openat2(dir, "../host/secret", { flags, resolve: RESOLVE.BENEATH }), {
    errno: "EXDEV",
  });
  symlinkSync("etc", join(rootPath, "symlinked"));
  assert.throws(() => openat2(dir, "symlinked/passwd", { flags, resolve: RESOLVE.NO_SYMLINKS }), {
    errno: "ELOOP",
  });
  closeSync(openat2(dir, "symlinked/passwd", { flags, resolve: RESOLVE.BENEATH }));
  closeSync(dir);
});

it("gives the errno of a bare call", () => {
  assert.equal(syscallErrno("umount2", new Uint8Array(1), 0), 2);
});
