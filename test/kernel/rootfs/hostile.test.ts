import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import type { OciMount } from "../../../src/spec/index.ts";
import { runInFileSystem, USUAL_MOUNTS } from "./container.ts";
import { hostMounts, makeImage, type TestImage, unavailable } from "./image.ts";

/** A directory of the host's that the image's links aim at; it must come out as it went in. */
function makeVictim(image: TestImage): { path: string; assertUntouched: () => void } {
  const path = join(image.directory, "host-victim");
  mkdirSync(path);
  writeFileSync(join(path, "secret"), "the host's");
  const mounts = hostMounts();
  return {
    path,
    assertUntouched: () => {
      assert.deepEqual(readdirSync(path), ["secret"]);
      assert.equal(readFileSync(join(path, "secret"), "utf8"), "the host's");
      assert.equal(hostMounts(), mounts, "the host's mounts changed");
    },
  };
}

function bind(source: string, destination: string, ...options: string[]): OciMount {
  return { destination, type: "bind", source, options: ["bind", ...options] };
}

describe("an image with hostile links", { skip: unavailable() ?? false }, () => {
  for (const userNamespace of [false, true]) {
    const where = userNamespace ? " (user namespace)" : "";

    for (const [link, target] of [
      ["proc", "/"],
      ["proc", "../../../.."],
      ["sys", "/etc"],
      ["dev", "../../.."],
      ["dev", "VICTIM"],
      ["proc", "VICTIM"],
    ] as const) {
      it(`is refused when /${link} is a link to ${target}${where}`, async () => {
        using image = makeImage();
        const victim = makeVictim(image);
        symlinkSync(target.replace("VICTIM", victim.path), join(image.layer, link));
        const run = runInFileSystem(image.directory, {
          root: image.root({ idMapped: userNamespace }),
          userNamespace,
          script: "true",
        });
        await assert.rejects(run, (error) => {
          assert.ok(error instanceof TsrunError);
          assert.equal(error.code, "LAUNCH_FAILED");
          assert.match(`${error.hint}`, /symbolic link/);
          return true;
        });
        victim.assertUntouched();
      });
    }

    it(`gets a volume inside its own root where a link leads to the host${where}`, async () => {
      using image = makeImage();
      const victim = makeVictim(image);
      const volume = join(image.directory, "volume");
      mkdirSync(volume);
      writeFileSync(join(volume, "mine"), "volume");
      // Mount points are made in it, by the container's root: a right that only an owner has.
      if (userNamespace) chownSync(volume, 100_000, 100_000);
      symlinkSync(victim.path, join(image.layer, "data"));
      symlinkSync("../../../../../..", join(image.layer, "up"));
      const { stdout, stderr, code } = await runInFileSystem(image.directory, {
        root: image.root({ idMapped: userNamespace }),
        userNamespace,
        mounts: [
          ...USUAL_MOUNTS,
          bind(volume, "/data"),
          bind(volume, `/up${victim.path}/below`),
          { destination: "/data/new/deep", type: "tmpfs", source: "tmpfs", options: [] },
        ],
        script: `cat /data/mine ${victim.path}/below/mine; test -e ${victim.path}/secret || echo no host`,
      });
      assert.equal(code, 0, stderr);
      // /data leads to the same path below the container's root, where the first volume was made.
      assert.equal(stdout, "volumevolumeno host\n");
      assert.ok(existsSync(join(volume, "new/deep")), "mount points are made in the volume");
      victim.assertUntouched();
    });

    it(`gets /etc/resolv.conf where it dangles, never at the host's file${where}`, async () => {
      using image = makeImage();
      const victim = makeVictim(image);
      const generated = join(image.directory, "resolv.conf");
      writeFileSync(generated, "nameserver 192.0.2.1\n");
      for (const target of [
        join(victim.path, "secret"),
        "../run/systemd/resolve/stub-resolv.conf",
        "/run/../../../../run/x/y",
      ]) {
        rmSync(join(image.layer, "etc/resolv.conf"), { force: true });
        symlinkSync(target, join(image.layer, "etc/resolv.conf"));
        const { stdout, stderr } = await runInFileSystem(image.directory, {
          root: image.root({ idMapped: userNamespace }),
          userNamespace,
          mounts: [...USUAL_MOUNTS, bind(generated, "/etc/resolv.conf")],
          script: "cat /etc/resolv.conf",
        });
        assert.equal(stdout, "nameserver 192.0.2.1\n", `${target}: ${stderr}`);
        victim.assertUntouched();
      }
    });
  }

  it("does not have masked or read-only paths led elsewhere", async () => {
    using image = makeImage();
    const victim = makeVictim(image);
    symlinkSync(victim.path, join(image.layer, "masked"));
    symlinkSync(join(victim.path, "secret"), join(image.layer, "readonly"));
    const { code, stderr } = await runInFileSystem(image.directory, {
      root: image.root(),
      linux: { maskedPaths: ["/masked", "/masked/secret"], readonlyPaths: ["/readonly"] },
      script: "true",
    });
    assert.equal(code, 0, stderr);
    victim.assertUntouched();
  });

  it("cannot take /dev/null's place for the masks", async () => {
    using image = makeImage();
    const victim = makeVictim(image);
    mkdirSync(join(image.layer, "dev"));
    symlinkSync(join(victim.path, "secret"), join(image.layer, "dev/null"));
    const noDev = USUAL_MOUNTS.filter(({ destination }) => !destination.startsWith("/dev"));
    const masked = { root: image.root(), linux: { maskedPaths: ["/proc/keys"] }, mounts: noDev };
    const script = 'stat -c "%t:%T" /proc/keys';
    await assert.rejects(runInFileSystem(image.directory, { ...masked, script }), {
      origin: "linux.devices",
      errno: "EEXIST",
    });
    // Where a /dev of the container's own covers it, the mask still is the host's device.
    const { stdout } = await runInFileSystem(image.directory, {
      ...masked,
      mounts: USUAL_MOUNTS,
      script,
    });
    assert.equal(stdout, "1:3\n");
    victim.assertUntouched();
  });

  it("makes a device only below its own root", async () => {
    using image = makeImage();
    const victim = makeVictim(image);
    symlinkSync(victim.path, join(image.layer, "devices"));
    mkdirSync(join(image.layer, victim.path), { recursive: true });
    const { stdout, stderr } = await runInFileSystem(image.directory, {
      root: image.root(),
      linux: { devices: [{ path: "/devices/zero", type: "c", major: 1, minor: 5 }] },
      script: `stat -c "%t:%T" ${victim.path}/zero`,
    });
    assert.equal(stdout, "1:5\n", stderr);
    victim.assertUntouched();
  });

  it("cannot catch a sysctl: nothing but a procfs can be mounted below /proc", async () => {
    using image = makeImage();
    const volume = join(image.directory, "volume");
    mkdirSync(join(volume, "net/ipv4"), { recursive: true });
    writeFileSync(join(volume, "net/ipv4/ip_forward"), "");
    await assert.rejects(
      runInFileSystem(image.directory, {
        root: image.root(),
        mounts: [...USUAL_MOUNTS, bind(volume, "/proc/sys")],
        linux: { sysctl: { "net.ipv4.ip_forward": "1" } },
        script: "true",
      }),
      { code: "INVALID_SPEC", origin: "mounts[7]" },
    );
    assert.equal(readFileSync(join(volume, "net/ipv4/ip_forward"), "utf8"), "");
  });

  it("gets nothing mounted over /proc by a link that leads there (CVE-2019-19921, CVE-2023-27561)", async () => {
    using image = makeImage();
    const volume = join(image.directory, "volume");
    mkdirSync(join(volume, "sys/net/ipv4"), { recursive: true });
    writeFileSync(join(volume, "sys/net/ipv4/ip_forward"), "fake");
    for (const [link, target] of [
      ["/proc", "/alias"],
      ["proc/sys", "/alias2"],
    ] as const) {
      symlinkSync(link, join(image.layer, target));
      await assert.rejects(
        runInFileSystem(image.directory, {
          root: image.root(),
          mounts: [...USUAL_MOUNTS, bind(volume, target)],
          linux: { sysctl: { "net.ipv4.ip_forward": "1" } },
          script: "true",
        }),
        (error: TsrunError) => {
          assert.equal(error.origin, `mounts[${USUAL_MOUNTS.length}]`);
          assert.equal(error.errno, "EXDEV");
          return true;
        },
      );
    }
    assert.equal(readFileSync(join(volume, "sys/net/ipv4/ip_forward"), "utf8"), "fake");
  });
});
