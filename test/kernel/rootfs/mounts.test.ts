import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setXattr } from "../../../src/ffi/index.ts";
import { createCopiedUpMounts } from "../../../src/rootfs/index.ts";
import type { OciMount } from "../../../src/spec/index.ts";
import { type FileSystemRequest, runInFileSystem, USUAL_MOUNTS } from "./container.ts";
import { hostMounts, makeImage, type TestImage, unavailable } from "./image.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

function makeVolume(image: TestImage): string {
  const path = join(image.directory, "volume");
  mkdirSync(join(path, "sub"), { recursive: true });
  writeFileSync(join(path, "file"), "from the volume\n");
  return path;
}

/** Runs with one more mount; the last line of the usual checks is that the host saw nothing. */
async function runWith(
  image: TestImage,
  mount: OciMount,
  request: Partial<FileSystemRequest> & { script: string },
) {
  const before = hostMounts();
  const outcome = await runInFileSystem(image.directory, {
    root: image.root({ idMapped: request.userNamespace ?? false }),
    mounts: [...USUAL_MOUNTS, mount],
    ...request,
  });
  assert.equal(hostMounts(), before, "the host's mounts changed");
  return outcome;
}

function bind(source: string, ...options: string[]): OciMount {
  return { destination: "/volume", type: "bind", source, options };
}

describe("mounts of a container", { skip: unavailable() ?? false }, () => {
  it("bind a directory both ways, and a file", async () => {
    using image = makeImage();
    const volume = makeVolume(image);
    const script = "cat /volume/file; echo new > /volume/written";
    const { stdout, code } = await runWith(image, bind(volume, "rbind"), { script });
    assert.equal(code, 0);
    assert.equal(stdout, "from the volume\n");
    assert.equal(readFileSync(join(volume, "written"), "utf8"), "new\n");

    const source = join(volume, "file");
    const file = { destination: "/a/file", type: "bind", source, options: ["bind"] };
    assert.equal(
      (await runWith(image, file, { script: "cat /a/file" })).stdout,
      "from the volume\n",
    );
  });

  it("say what is in the way when a directory is to be mounted on a file", async () => {
    using image = makeImage();
    const source = makeVolume(image);
    const mount = { destination: "/bin/busybox", type: "bind", source, options: ["bind"] };
    await assert.rejects(runWith(image, mount, { script: "true" }), {
      code: "LAUNCH_FAILED",
      errno: "ENOTDIR",
      origin: "mounts[7]",
    });
  });

  it("have each attribute that mount(8) knows", async () => {
    for (const [option, shown] of [
      ["ro", "ro"],
      ["nosuid", "nosuid"],
      ["nodev", "nodev"],
      ["noexec", "noexec"],
      ["noatime", "noatime"],
      ["nodiratime", "nodiratime"],
      ["nosymfollow", "nosymfollow"],
      ["rro", "ro"],
      ["rnoexec", "noexec"],
    ] as const) {
      for (const type of ["bind", "tmpfs"] as const) {
        using image = makeImage();
        const source = type === "bind" ? makeVolume(image) : "tmpfs";
        const options = type === "bind" ? ["bind", option] : [option];
        const { stdout, stderr } = await runWith(
          image,
          { destination: "/volume", type, source, options },
          { script: "grep ' /volume ' /proc/mounts" },
        );
        const found = (stdout.split(" ")[3] ?? "").split(",");
        assert.ok(found.includes(shown), `${type} ${option}: ${stdout}${stderr}`);
      }
    }
  });

  it("obey the last of two options that contradict each other", async () => {
    using image = makeImage();
    const volume = makeVolume(image);
    const { code } = await runWith(image, bind(volume, "bind", "ro", "rw"), {
      script: "touch /volume/x",
    });
    assert.equal(code, 0);
  });

  it("take the file system's own options", async () => {
    using image = makeImage();
    const mount = {
      destination: "/volume",
      type: "tmpfs",
      source: "mine",
      options: ["size=64k", "mode=1750", "uid=7", "gid=8"],
    };
    const { stdout } = await runWith(image, mount, {
      script: "stat -c '%a %u:%g' /volume; grep ' /volume ' /proc/mounts",
    });
    assert.match(stdout, /^1750 7:8\nmine \/volume tmpfs .*size=64k/);
  });

  it("keep the container's mounts from the host unless they are shared", async () => {
    using image = makeImage();
    const volume = makeVolume(image);
    const { code, stderr } = await runWith(image, bind(volume, "rbind"), {
      script: "mount -t tmpfs tmpfs /volume/sub && touch /volume/sub/inside",
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(readdirSync(join(volume, "sub")), []);
  });

  it("have the propagation that was asked for", async () => {
    for (const [option, expected] of [
      ["rshared", /shared:\d+/],
      ["private", /^[^:]*$/],
      ["unbindable", /unbindable/],
    ] as const) {
      using image = makeImage();
      const { stdout } = await runWith(
        image,
        { destination: "/volume", type: "tmpfs", source: "tmpfs", options: [option] },
        { script: "grep ' /volume ' /proc/self/mountinfo" },
      );
      const optional = stdout.slice(0, stdout.indexOf(" - ")).split(" ").slice(6).join(" ");
      assert.match(optional, expected, `${option}: ${stdout}`);
    }
  });

  it("show an id-mapped volume's files to the container as its own", async () => {
    using image = makeImage();
    const volume = makeVolume(image);
    chownSync(join(volume, "file"), 1000, 1000);
    const script = "stat -c %u:%g /volume/file; touch /volume/made";
    const mapped = await runWith(image, bind(volume, "bind", "idmap"), {
      userNamespace: true,
      script,
    });
    assert.equal(mapped.stdout, "1000:1000\n", mapped.stderr);
    const { uid, gid } = statSync(join(volume, "made"));
    assert.deepEqual([uid, gid], [0, 0], "what the container's root makes is the host's root's");
    const plain = await runWith(image, bind(volume, "bind"), {
      userNamespace: true,
      script: "stat -c %u:%g /volume/file",
    });
    assert.equal(plain.stdout, "65534:65534\n", "without idmap they are nobody's");
  });

  it("map a volume by its own ranges without a user namespace", async () => {
    using image = makeImage();
    const volume = makeVolume(image);
    const { stdout, stderr } = await runWith(
      image,
      bind(volume, "bind", "idmap=uids=0-5000-10;gids=0-6000-10"),
      { script: "stat -c %u:%g /volume/file" },
    );
    assert.equal(stdout, "5000:6000\n", stderr);
  });

  it("name the entry and leave nothing when the kernel refuses one", async () => {
    using image = makeImage();
    const refused = runWith(
      image,
      { destination: "/volume", type: "tmpfs", source: "tmpfs", options: ["size=nonsense"] },
      { script: "true" },
    );
    await assert.rejects(refused, { code: "LAUNCH_FAILED", origin: "mounts[7]", errno: "EINVAL" });
    const before = hostMounts();
    assert.ok(!before.includes(image.directory));
  });
});

describe("tmpcopyup", { skip: unavailable() ?? false }, () => {
  for (const userNamespace of [false, true]) {
    const where = userNamespace ? " in a user namespace" : "";

    it(`begins with the image's files, whole${where}`, async () => {
      using image = makeImage();
      const data = join(image.layer, "data");
      mkdirSync(join(data, "sub"), { recursive: true });
      writeFileSync(join(data, "a"), "content\n");
      linkSync(join(data, "a"), join(data, "b"));
      symlinkSync("/etc/shadow", join(data, "link"));
      writeFileSync(join(data, "sub/program"), "");
      chownSync(join(data, "sub/program"), 7, 8);
      chmodSync(join(data, "sub/program"), 0o4750);
      // A permitted cap_net_raw: binary, as in Debian's ping (linux/capability.h, VFS_CAP_REVISION_2).
      const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
      setXattr(join(data, "a"), "security.capability", capability);
      const root = image.root({ idMapped: userNamespace });
      const mount = {
        destination: "/data",
        type: "tmpfs",
        source: "tmpfs",
        options: ["tmpcopyup", "mode=700"],
      };
      const mounts = [...USUAL_MOUNTS, mount];
      const user = userNamespace ? [{ type: "user" } as const] : [];
      const linux = { namespaces: user, uidMappings: MAPS, gidMappings: MAPS };
      const prepared = createCopiedUpMounts({ mounts, linux }, root);
      const fd = prepared.get(7);
      assert.ok(typeof fd === "number");
      try {
        const { stdout, stderr } = await runWith(image, mount, {
          userNamespace,
          preparedMounts: prepared,
          script:
            "cat /data/a; readlink /data/link; stat -c '%h %i' /data/a /data/b; stat -c '%a %u:%g' /data /data/sub/program; touch /data/new && echo writable",
        });
        const lines = stdout.split("\n");
        assert.deepEqual(lines.slice(0, 2), ["content", "/etc/shadow"], stderr);
        assert.match(lines[2] ?? "", /^2 /);
        assert.equal(lines[2], lines[3], "one file with two names");
        assert.deepEqual(lines.slice(4, 7), ["700 0:0", "4750 7:8", "writable"]);
        assert.deepEqual(readdirSync(data).sort(), ["a", "b", "link", "sub"], "the image stays");
      } finally {
        closeSync(fd);
      }
    });
  }

  it("needs nothing made where the image has nothing", () => {
    using image = makeImage();
    mkdirSync(join(image.layer, "empty"));
    const options = ["tmpcopyup"];
    const mounts = ["/empty", "/missing", "/bin/sh"].map((destination) => ({
      destination,
      type: "tmpfs",
      options,
    }));
    const prepared = createCopiedUpMounts({ mounts, linux: { namespaces: [] } }, image.root());
    assert.deepEqual([...prepared.values()], ["plain", "plain", "plain"]);
  });

  it("follows no link of the image to the host", () => {
    using image = makeImage();
    const secret = join(image.directory, "secret");
    mkdirSync(secret);
    writeFileSync(join(secret, "key"), "");
    symlinkSync(secret, join(image.layer, "data"));
    const mounts = [{ destination: "/data", type: "tmpfs", options: ["tmpcopyup"] }];
    const prepared = createCopiedUpMounts({ mounts, linux: { namespaces: [] } }, image.root());
    assert.equal(prepared.get(0), "plain");
  });

  it("says so when it does not fit", () => {
    using image = makeImage();
    mkdirSync(join(image.layer, "data"));
    writeFileSync(join(image.layer, "data/big"), Buffer.alloc(1 << 20));
    const mounts = [{ destination: "/data", type: "tmpfs", options: ["tmpcopyup", "size=64k"] }];
    assert.throws(() => createCopiedUpMounts({ mounts, linux: { namespaces: [] } }, image.root()), {
      code: "NO_SPACE",
      origin: "mounts[0]",
    });
  });
});
