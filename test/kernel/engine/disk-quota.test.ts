/**
 * --disk where the store is on a file system with project quotas: the limit is the file system's own, on a plain
 * directory. It holds inside, cannot be left, grows under a container that runs, and goes with the container.
 */
import assert from "node:assert/strict";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it, type TestContext } from "node:test";
import {
  backupContainer,
  checkSystem,
  cloneContainer,
  copyToContainer,
  createContainer,
  diffContainerOrImage,
  execInContainer,
  inspectContainer,
  removeContainer,
  restoreBackup,
  restoreContainer,
  snapshotContainer,
  startContainer,
  updateContainer,
} from "../../../src/engine/index.ts";
import {
  hasProjectQuota,
  readProject,
  readProjectQuota,
  setProject,
  setProjectLimit,
} from "../../../src/ffi/index.ts";
import { runProgram } from "../../support/cli.ts";
import { limitedProjects, mountQuotaFileSystem } from "../../support/quota.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

const MIB = 1024 * 1024;
/** What a program is told of a full project: xfs has one word for all, ext4 the quotas' own. */
const FULL = { ext4: /Disk quota exceeded/, xfs: /No space left on device/ } as const;

const directory = mkdtempSync(join(tmpdir(), "tsrun-quota-"));
after(async () => {
  for (const path of mounted) await runProgram("umount", ["-l", path]);
  rmSync(directory, { recursive: true, force: true });
});
const mounted: string[] = [];

async function mountFor(t: TestContext, type: "ext4" | "xfs"): Promise<string | undefined> {
  const made = await mountQuotaFileSystem(directory, type);
  if ("skip" in made) {
    t.skip(made.skip);
    return undefined;
  }
  mounted.push(made.path);
  return made.path;
}

describe("a project's limit", () => {
  for (const type of ["ext4", "xfs"] as const) {
    it(`holds an overlay on ${type}, and nothing beside it`, async (t) => {
      const path = await mountFor(t, type);
      if (path === undefined) return;
      const script = `cd ${path}; mkdir -p p/upper p/work lower merged
mount -t overlay -o lowerdir=lower,upperdir=p/upper,workdir=p/work overlay merged
dd if=/dev/zero of=merged/big bs=1M count=12; stat -c %s merged/big; umount merged
dd if=/dev/zero of=beside bs=1M count=12 2>/dev/null && echo beside it is room`;
      await runProgram("mkdir", [`${path}/p`]);
      const fd = openSync(`${path}/p`, "r");
      try {
        assert.ok(hasProjectQuota(fd));
        assert.equal(readProject(fd), 0);
        setProject(fd, 0x0123_4567);
        setProjectLimit(fd, 0x0123_4567, 8n * 1024n * 1024n);
        assert.equal(readProject(fd), 0x0123_4567);
        // Also of one who may pass quotas: overlayfs takes CAP_SYS_RESOURCE from itself.
        const { stdout, stderr } = await runProgram("sh", ["-c", script]);
        assert.match(stderr, FULL[type]);
        const [size = "", beside] = stdout.trim().split("\n");
        assert.ok(Number(size) > 7 * MIB && Number(size) <= 8 * MIB, size);
        assert.equal(beside, "beside it is room");
        const { usedBytes, limitBytes } = readProjectQuota(fd, 0x0123_4567);
        assert.equal(limitBytes, BigInt(8 * MIB));
        assert.ok(usedBytes > BigInt(7 * MIB) && usedBytes <= limitBytes, String(usedBytes));
        assert.deepEqual(limitedProjects(path), [0x0123_4567]);
        setProjectLimit(fd, 0x0123_4567, 0n);
        assert.deepEqual(limitedProjects(path), []);
      } finally {
        closeSync(fd);
      }
    });
  }
});

describe("a container's disk with project quotas", () => {
  let store: TestStore | undefined;
  let path = "";

  before(async () => {
    const made = await mountQuotaFileSystem(directory, "ext4");
    if ("skip" in made) return;
    path = made.path;
    mounted.push(path);
    const { TMPDIR } = process.env;
    process.env["TMPDIR"] = path;
    try {
      store = await makeStore();
    } finally {
      if (TMPDIR === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = TMPDIR;
    }
  });
  after(() => store?.remove());

  function storeFor(t: TestContext): TestStore | undefined {
    if (!store) t.skip("this kernel has no project quotas for ext4 (mount -o prjquota fails)");
    return store;
  }

  const SLEEPS = { image: IMAGE, command: ["sleep", "1000"], stopTimeoutSeconds: 0 };
  const disk = { sizeBytes: 16 * MIB };
  const diskOf = ({ directory: base }: TestStore, id: string) =>
    join(base, "root/containers", id, "disk");

  /** Both outputs of a shell in the container. */
  async function shell({ engine }: TestStore, id: string, script: string): Promise<string> {
    const session = await execInContainer(engine, id, {
      args: ["sh", "-c", `{ ${script}\n} 2>&1`],
    });
    session.stderr?.resume();
    const [said] = await Promise.all([session.stdout ? text(session.stdout) : "", session.exit]);
    return said;
  }

  const FILL = "dd if=/dev/zero of=/big bs=1M count=64; rm -f /big; df -m / | awk 'END{print $2}'";

  it("is full inside alone, grows while it runs, and goes without a trace", async (t) => {
    const own = storeFor(t);
    if (!own) return;
    const { engine } = own;
    const { id, quota } = await createContainer(engine, { ...SLEEPS, disk });
    assert.ok(quota);
    assert.ok(!existsSync(`${diskOf(own, id)}.img`));
    assert.deepEqual(limitedProjects(path), [quota.project]);
    await startContainer(engine, id);
    const full = await shell(own, id, FILL);
    assert.match(full, FULL.ext4);
    assert.match(full, /\n16\n$/);
    writeFileSync(join(own.directory, "outside"), Buffer.alloc(64 * MIB)); // nobody else feels it

    await updateContainer(engine, id, {}, { diskBytes: 96 * MIB });
    assert.match(await shell(own, id, FILL), /64\+0 records out[\s\S]*\n96\n$/);
    assert.equal((await inspectContainer(engine, id)).config.request.disk?.sizeBytes, 96 * MIB);
    await assert.rejects(updateContainer(engine, id, {}, { diskBytes: 32 * MIB }), {
      code: "INVALID_ARGUMENT",
    });
    await removeContainer(engine, id, { force: true });
    assert.deepEqual(limitedProjects(path), []);
  });

  it("cannot be left by who is root in the container", async (t) => {
    const own = storeFor(t);
    if (!own) return;
    const { engine } = own;
    const mounts = [{ type: "bind", source: "/usr", target: "/h", options: ["ro"] }] as const;
    const { id } = await createContainer(engine, { ...SLEEPS, disk, mounts });
    await startContainer(engine, id);
    const libraries = "/h/lib/x86_64-linux-gnu";
    const program = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries} /h/bin`;
    // FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS are refused, FS_IOC_GETFLAGS and TCGETS are answered.
    const leave = `touch /f; mkdir /d; ${program}/chattr -p 0 /f; ${program}/chattr -P /d
${program}/lsattr -p /f; stty -a < /dev/null`;
    const said = await shell(own, id, leave);
    assert.equal(said.match(/Operation not permitted/g)?.length, 2, said);
    const [project = 0] = limitedProjects(path);
    assert.ok(said.includes(`${project} -`), said);
    assert.match(said, /Inappropriate ioctl/);
    await removeContainer(engine, id, { force: true });
  });

  it("is a file system of its own for who may set limits, and a quota with ids of its own", async (t) => {
    const own = storeFor(t);
    if (!own) return;
    const { engine } = own;
    const free = await createContainer(engine, { ...SLEEPS, disk, privileged: true });
    assert.equal(free.quota, undefined);
    assert.ok(existsSync(`${diskOf(own, free.id)}.img`));
    const map = [{ containerID: 0, hostID: 500_000, size: 65_536 }];
    const user = { kind: "maps", uids: map, gids: map } as const;
    const { id, quota } = await createContainer(engine, { ...SLEEPS, disk, namespaces: { user } });
    assert.ok(quota);
    await startContainer(engine, id);
    assert.match(await shell(own, id, FILL), FULL.ext4);
    for (const each of [id, free.id]) await removeContainer(engine, each, { force: true });
    assert.deepEqual(limitedProjects(path), []);
  });

  it("has snapshots, clones and backups, each container with a project of its own", async (t) => {
    const own = storeFor(t);
    if (!own) return;
    const { engine } = own;
    const write = async (id: string, name: string) => {
      const source = join(own.directory, name);
      writeFileSync(source, name);
      await copyToContainer(engine, id, { source, path: `/${name}` });
    };
    const changes = async (id: string) =>
      (await diffContainerOrImage(engine, id)).map((change) => change.path).sort();
    const { id } = await createContainer(engine, { ...SLEEPS, name: "one", disk });
    await write(id, "first");
    await snapshotContainer(engine, id, "snap");
    await write(id, "second");
    const clone = await cloneContainer(engine, id);
    await restoreContainer(engine, id, "snap");
    assert.deepEqual(await changes(id), ["/first"]);
    assert.deepEqual(await changes(clone.id), ["/first", "/second"]);
    assert.equal(new Set(limitedProjects(path)).size, 2);
    await write(id, "third");
    const file = join(own.directory, "backup");
    await backupContainer(engine, id, file);
    await removeContainer(engine, id);
    const restored = await restoreBackup(engine, [file]);
    assert.ok(restored.quota);
    assert.deepEqual(await changes(restored.id), ["/first", "/third"]);
    assert.equal(limitedProjects(path).length, 2);
    for (const each of [restored.id, clone.id]) await removeContainer(engine, each);
    assert.deepEqual(await checkSystem(engine), []);
    assert.deepEqual(limitedProjects(path), []);
  });
});
