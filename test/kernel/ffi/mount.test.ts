import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../../../src/base/errors.ts";
import {
  AT_FDCWD,
  fsconfig,
  fsMessages,
  fsmount,
  fsopen,
  fspick,
  mount,
  mountSetattr,
  moveMount,
  namespaceType,
  openTree,
  owningUserNamespace,
  pidfdOpen,
  pivotRoot,
  probeClone3,
  setns,
  spawnStage,
  statx,
  umount2,
  unshare,
  waitChild,
} from "../../../src/ffi/index.ts";
import { enterPrivateMounts } from "./private-mounts.ts";

const hostNamespace = readlinkSync("/proc/self/ns/mnt");
const work = enterPrivateMounts();
let counter = 0;
function directory(): string {
  const path = join(work, `dir${counter++}`);
  mkdirSync(path);
  return path;
}

const MS_BIND = 0x1000;
const MS_RDONLY = 1;
const MS_REMOUNT = 0x20;
const MNT_DETACH = 2;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_NOEXEC = 8;
const MOUNT_ATTR_IDMAP = 0x0010_0000;
const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const CLONE_NEWUTS = 0x0400_0000;
const CLONE_NEWNS = 0x0002_0000;
const CLONE_NEWUSER = 0x1000_0000;

it("has left the host's mount namespace", () => {
  assert.notEqual(readlinkSync("/proc/self/ns/mnt"), hostNamespace);
});

describe("mount(2)", () => {
  it("mounts, remounts and unmounts", () => {
    const target = directory();
    mount({ source: "x", target, type: "tmpfs", options: "size=64k,mode=0711" });
    assert.equal(statSync(target).mode & 0o777, 0o711);
    assert.match(mountInfo(target), / - tmpfs x rw,size=64k,mode=711/);
    mount({ target, flags: MS_REMOUNT | MS_BIND | MS_RDONLY });
    assert.throws(() => writeFileSync(join(target, "f"), ""), { code: "EROFS" });
    umount2(target, MNT_DETACH);
    assert.throws(() => umount2(target), { errno: "EINVAL", subject: target });
  });

  it("names the target of a mount that failed", () => {
    assert.throws(() => mount({ source: "/nowhere", target: "/no/such", flags: MS_BIND }), {
      errno: "ENOENT",
      message: 'mount "/no/such" failed: ENOENT, no such file or directory',
    });
    assert.throws(() => mount({ source: "x", target: work, type: "nosuchfs" }), {
      errno: "ENODEV",
    });
  });
});

describe("the new mount API", () => {
  it("prepares a file system and attaches it", () => {
    const target = directory();
    const context = fsopen("tmpfs");
    fsconfig(context, { kind: "string", key: "source", value: "made" });
    fsconfig(context, { kind: "string", key: "size", value: "64k" });
    fsconfig(context, { kind: "create" });
    const detached = fsmount(context, MOUNT_ATTR_NOEXEC);
    moveMount({ dirFd: detached, path: "" }, { dirFd: AT_FDCWD, path: target });
    assert.match(mountInfo(target), /noexec.* - tmpfs made rw,size=64k/);
    closeSync(detached);
    closeSync(context);
  });

  it("says in the file system's words why a parameter is refused", () => {
    const context = fsopen("tmpfs");
    assert.throws(() => fsconfig(context, { kind: "string", key: "nonsense", value: "1" }), {
      errno: "EINVAL",
      subject: "nonsense",
    });
    assert.match(fsMessages(context).join("\n"), /^e tmpfs: Unknown parameter 'nonsense'/m);
    assert.deepEqual(fsMessages(context), []);
    closeSync(context);
    assert.throws(() => fsopen("nosuchfs"), { errno: "ENODEV" });
  });

  it("reconfigures what is mounted", () => {
    const target = directory();
    mount({ source: "x", target, type: "tmpfs", options: "size=64k" });
    const context = fspick(AT_FDCWD, target);
    fsconfig(context, { kind: "string", key: "size", value: "128k" });
    fsconfig(context, { kind: "flag", key: "ro" });
    fsconfig(context, { kind: "reconfigure" });
    closeSync(context);
    assert.match(mountInfo(target), / - tmpfs x ro,size=128k/);
  });

  it("mounts an overlay from descriptors", (t) => {
    const [lower, upper, workdir, target] = [directory(), directory(), directory(), directory()];
    writeFileSync(join(lower, "below"), "1");
    const context = fsopen("overlay");
    const layers = [
      openTree(AT_FDCWD, lower),
      openTree(AT_FDCWD, upper),
      openTree(AT_FDCWD, workdir),
    ];
    const [lowerFd = -1, upperFd = -1, workFd = -1] = layers;
    try {
      // By descriptor since Linux 6.13.
      fsconfig(context, { kind: "fd", key: "lowerdir+", fd: lowerFd });
      fsconfig(context, { kind: "fd", key: "upperdir", fd: upperFd });
      fsconfig(context, { kind: "fd", key: "workdir", fd: workFd });
    } catch (error) {
      if (!hasErrno(error, "EINVAL", "EBADF")) throw error;
      closeSync(context);
      return t.skip("needs overlay layers by descriptor (Linux 6.13)");
    } finally {
      for (const fd of layers) closeSync(fd);
    }
    fsconfig(context, { kind: "create" });
    const detached = fsmount(context);
    moveMount({ dirFd: detached, path: "" }, { dirFd: AT_FDCWD, path: target });
    writeFileSync(join(target, "above"), "2");
    assert.ok(existsSync(join(upper, "above")) && existsSync(join(target, "below")));
    closeSync(detached);
    closeSync(context);
  });

  it("makes a whole tree read-only, mounts inside it too", () => {
    const [source, target] = [directory(), directory()];
    mkdirSync(join(source, "inner"));
    mount({ source: "x", target: join(source, "inner"), type: "tmpfs" });
    const tree = openTree(AT_FDCWD, source, OPEN_TREE_CLONE | AT_RECURSIVE);
    mountSetattr({ dirFd: tree, path: "" }, { set: MOUNT_ATTR_RDONLY }, AT_RECURSIVE);
    moveMount({ dirFd: tree, path: "" }, { dirFd: AT_FDCWD, path: target });
    closeSync(tree);
    assert.throws(() => writeFileSync(join(target, "inner", "f"), ""), { code: "EROFS" });
    writeFileSync(join(source, "inner", "f"), "the source is as writable as before");
  });

  it("maps the ids of a mount", async () => {
    const [source, target] = [directory(), directory()];
    writeFileSync(join(source, "f"), "");
    const child = spawnStage({
      stage: "/usr/bin/unshare",
      argv: ["unshare", "--user", "sleep", "60"],
      env: ["PATH=/usr/bin:/bin"],
      fds: [0, 1, 2],
    });
    const pidfd = pidfdOpen(child);
    try {
      await inOwnUserNamespace(child);
      writeFileSync(`/proc/${child}/uid_map`, "0 100000 65536");
      writeFileSync(`/proc/${child}/gid_map`, "0 100000 65536");
      const userNamespace = openSync(`/proc/${child}/ns/user`, "r");
      const tree = openTree(AT_FDCWD, source, OPEN_TREE_CLONE);
      mountSetattr(
        { dirFd: tree, path: "" },
        { set: MOUNT_ATTR_IDMAP, userNamespaceFd: userNamespace },
      );
      moveMount({ dirFd: tree, path: "" }, { dirFd: AT_FDCWD, path: target });
      assert.equal(statSync(join(target, "f")).uid, 100000);
      assert.equal(statSync(join(source, "f")).uid, 0);
      closeSync(tree);
      closeSync(userNamespace);
    } finally {
      process.kill(child, "SIGKILL");
      await waitChild(pidfd);
      closeSync(pidfd);
    }
  });
});

async function inOwnUserNamespace(pid: number): Promise<void> {
  const ours = readlinkSync("/proc/self/ns/user");
  for (let attempt = 0; attempt < 500; attempt++) {
    if (readlinkSync(`/proc/${pid}/ns/user`) !== ours) return;
    await sleep(5);
  }
  assert.fail("unshare(1) made no user namespace");
}

/** The last mount on this path, as /proc/self/mountinfo has it. */
function mountInfo(path: string): string {
  const lines = readFileSync("/proc/thread-self/mountinfo", "utf8").split("\n");
  return lines.findLast((line) => line.split(" ")[4] === path) ?? "";
}

describe("namespaces", () => {
  it("are told by type and owner", () => {
    const uts = openSync("/proc/self/ns/uts", "r");
    assert.equal(namespaceType(uts), CLONE_NEWUTS);
    const user = owningUserNamespace(uts);
    assert.equal(namespaceType(user), CLONE_NEWUSER);
    assert.equal(readlinkSync(`/proc/self/fd/${user}`), readlinkSync("/proc/self/ns/user"));
    closeSync(user);
    closeSync(uts);
  });

  it("can be left and joined again", () => {
    const before = openSync("/proc/self/ns/uts", "r");
    const name = readlinkSync("/proc/self/ns/uts");
    unshare(CLONE_NEWUTS);
    assert.notEqual(readlinkSync("/proc/self/ns/uts"), name);
    assert.throws(() => setns(before, CLONE_NEWNS), { errno: "EINVAL" });
    setns(before, CLONE_NEWUTS);
    assert.equal(readlinkSync("/proc/self/ns/uts"), name);
    closeSync(before);
  });

  it("of users refuse a process with threads", () => {
    assert.throws(() => unshare(CLONE_NEWUSER), { errno: "EINVAL" });
  });
});

it("probes clone3 without making a child", () => {
  const children = () => readFileSync("/proc/thread-self/children", "latin1");
  const before = children();
  assert.equal(probeClone3(), "supported");
  assert.equal(children(), before);
});

it("changes the root", () => {
  // The last test of the file: the process stays in the new root.
  const root = directory();
  mount({ source: root, target: root, flags: MS_BIND });
  mkdirSync(join(root, "old"));
  writeFileSync(join(root, "here"), "");
  assert.throws(() => pivotRoot(work, join(root, "old")), {
    errno: "EINVAL",
    subject: work,
  });
  unshare(CLONE_NEWNS);
  pivotRoot(root, join(root, "old"));
  assert.ok(existsSync("/here") && existsSync("/old/proc"));
  assert.ok(statx(AT_FDCWD, "/").isMountRoot);
  // Back, for whatever the test runner still reads.
  mount({ target: "/old", flags: 1 << 18 });
  pivotRoot("/old", join("/old", root, "old"));
  assert.ok(existsSync("/proc/self"));
});
