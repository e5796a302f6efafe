import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInFileSystem, USUAL_MOUNTS } from "./container.ts";
import { hostMounts, makeImage, unavailable } from "./image.ts";

const skip = unavailable();

/** "type options" of each mount by its place, from /proc/mounts. */
function mountTable(text: string): Map<string, { type: string; options: string[] }> {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  return new Map(
    lines.map(([, place = "", type = "", options = ""]) => [
      place,
      { type, options: options.split(",") },
    ]),
  );
}

for (const userNamespace of [false, true]) {
  const where = userNamespace ? "in a user namespace of its own" : "as the host's root";

  describe(`a root with the usual mounts, ${where}`, { skip: skip ?? false }, () => {
    const run = async (script: string, linux = {}) => {
      using image = makeImage();
      const before = hostMounts();
      const outcome = await runInFileSystem(image.directory, {
        root: image.root({ idMapped: userNamespace }),
        userNamespace,
        linux,
        script,
      });
      assert.equal(hostMounts(), before, "the host's mounts changed");
      return outcome;
    };

    it("has each mount with its options, and no trace of the host's", async () => {
      const { stdout, stderr, code } = await run("cat /proc/mounts");
      assert.equal(code, 0, stderr);
      const mounts = mountTable(stdout);
      for (const { destination, type, options = [] } of USUAL_MOUNTS) {
        const found = mounts.get(destination);
        assert.equal(found?.type, type === "cgroup" ? "cgroup2" : type, destination);
        for (const option of options.filter((name) => /^(ro|nosuid|nodev|noexec)$/.test(name))) {
          assert.ok(found?.options.includes(option), `${destination} without ${option}`);
        }
      }
      const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((n) => `/dev/${n}`);
      const expected = ["/", ...USUAL_MOUNTS.map(({ destination }) => destination)];
      const surplus = [...mounts.keys()].filter(
        (place) => !expected.includes(place) && !(userNamespace && devices.includes(place)),
      );
      assert.deepEqual(surplus, []);
    });

    it("owns its root directory and what is in it", async () => {
      const { stdout } = await run(
        "stat -c %u:%g / /bin/busybox; touch /new && stat -c %u:%g /new",
      );
      assert.equal(stdout, "0:0\n0:0\n0:0\n");
    });

    it("has the default devices, usable by everybody", async () => {
      const { stdout, stderr, code } = await run(
        'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done; echo lost >/dev/null; for l in fd stdin ptmx; do readlink /dev/$l; done',
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(stdout.trim().split("\n"), [
        "/dev/null 1:3 666",
        "/dev/zero 1:5 666",
        "/dev/full 1:7 666",
        "/dev/random 1:8 666",
        "/dev/urandom 1:9 666",
        "/dev/tty 5:0 666",
        "/proc/self/fd",
        "/proc/self/fd/0",
        "pts/ptmx",
      ]);
    });

    it("masks files with the null device and directories with an empty one", async () => {
      const maskedPaths = ["/proc/keys", "/sys/firmware", "/sys/kernel", "/nowhere", "/bin/cat/x"];
      const { stdout, stderr, code } = await run(
        'stat -c "%F %t:%T" /proc/keys; ls -A /sys/kernel; touch /sys/kernel/x 2>/dev/null || echo refused; test -e /nowhere || echo absent',
        { maskedPaths },
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "character special file 1:3\nrefused\nabsent\n");
    });

    for (const maskedPaths of [[], ["/proc/keys"]]) {
      const masked = maskedPaths.length > 0 ? " beside masked ones" : "";
      it(`makes read-only paths read-only and leaves the rest${masked}`, async () => {
        const { stdout } = await run(
          "echo x > /proc/sys/net/ipv4/ip_forward; echo 5 > /proc/self/oom_score_adj && echo writable",
          { readonlyPaths: ["/proc/sys", "/nowhere"], maskedPaths },
        );
        assert.equal(stdout, "writable\n");
        const { stderr } = await run("echo 1 > /proc/sys/net/ipv4/ip_forward", {
          readonlyPaths: ["/proc/sys"],
          maskedPaths,
        });
        assert.match(stderr, /Read-only file system/);
      });
    }

    it("sets sysctls although /proc/sys is read-only, and only for the container", async () => {
      const { stdout, stderr, code } = await run(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax",
        {
          readonlyPaths: ["/proc/sys"],
          sysctl: { "net.ipv4.ip_forward": "1", "kernel.shmmax": "12345" },
        },
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "1\n12345\n");
    });
  });
}

describe("a root file system", { skip: skip ?? false }, () => {
  it("is read-only when asked, its mounts are not, and mount points could still be made", async () => {
    using image = makeImage();
    const { stdout, stderr, code } = await runInFileSystem(image.directory, {
      root: image.root(),
      rootReadonly: true,
      mounts: [
        ...USUAL_MOUNTS,
        { destination: "/made/here", type: "tmpfs", source: "tmpfs", options: [] },
      ],
      script: "touch /x 2>/dev/null || echo refused; touch /made/here/y /dev/shm/z && echo written",
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "refused\nwritten\n");
  });

  it("can be a directory as it is", async () => {
    using image = makeImage();
    const { stdout, code } = await runInFileSystem(image.directory, {
      root: { kind: "bind", path: image.layer },
      script: "grep ' / ' /proc/mounts | grep -c overlay; touch /written && echo written",
    });
    assert.equal(code, 0);
    assert.equal(stdout, "0\nwritten\n");
  });

  it("mounts 200 layers, far more than mount(2)'s page of options holds", async (t) => {
    using image = makeImage();
    const { mkdirSync, writeFileSync } = await import("node:fs");
    const extraLayers = Array.from({ length: 200 }, (_, i) => {
      const path = `${image.directory}/layers-with-a-name-of-some-length/${i}`;
      mkdirSync(path, { recursive: true });
      writeFileSync(`${path}/from-${i}`, "");
      writeFileSync(`${path}/uppermost`, `${i}\n`);
      return path;
    });
    t.diagnostic(`lowerdir is ${extraLayers.join(":").length} bytes`);
    const { stdout, stderr, code } = await runInFileSystem(image.directory, {
      root: image.root({ extraLayers }),
      script: "cat /uppermost; ls -d /from-* | grep -c from",
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "0\n200\n");
  });

  it("takes layers whose paths hold every character that overlayfs gives a meaning", async () => {
    using image = makeImage();
    const { mkdirSync, writeFileSync } = await import("node:fs");
    const strange = `${image.directory}/a:b,c\\d e=f`;
    mkdirSync(strange);
    writeFileSync(`${strange}/found`, "yes\n");
    const { stdout, stderr } = await runInFileSystem(image.directory, {
      root: image.root({ extraLayers: [strange] }),
      script: "cat /found",
    });
    assert.equal(stdout, "yes\n", stderr);
  });
});
