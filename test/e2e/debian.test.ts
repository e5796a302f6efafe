/** A whole distribution as the root: a Debian tree imported as an image, and what people run in one. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";
import { debianRoot, debianRootUnavailable } from "../support/roots.ts";

describe("a Debian root file system", { skip: debianRootUnavailable() ?? false }, () => {
  let cli: Cli;
  before(async () => {
    cli = await Cli.open();
    await cli.ok("image", "import", await debianRoot(), "debian");
  });
  after(() => cli?.[Symbol.asyncDispose]());

  const inside = async (...args: string[]) =>
    (await cli.ok("run", "--rm", "debian", ...args)).trimEnd();

  it("runs python3, with its threads, processes and shared memory", async () => {
    const script = `
import concurrent.futures, multiprocessing, os, platform, socket, tempfile
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    threads = sum(pool.map(lambda n: n * n, range(100)))
with multiprocessing.Pool(2) as pool:
    processes = sum(pool.map(abs, range(-100, 0)))
with tempfile.TemporaryFile() as file:
    written = file.write(os.urandom(1 << 20))
print(threads, processes, written, os.getuid(), socket.gethostname(), platform.freedesktop_os_release()["ID"])`;
    assert.equal(
      await cli.ok("run", "--rm", "--hostname", "box", "debian", "python3", "-c", script),
      "328350 5050 1048576 0 box debian",
    );
  });

  it("runs perl", async () => {
    const script =
      'use POSIX; my @p = getpwuid(0); print join(" ", $p[0], (POSIX::uname())[0], 6 * 7)';
    assert.equal(await inside("perl", "-e", script), "root Linux 42");
  });

  it("finds its users and their groups", async () => {
    assert.match(
      await cli.ok("run", "--rm", "--user", "www-data", "debian", "id"),
      /^uid=33\(www-data\) gid=33\(www-data\) groups=33\(www-data\)$/m,
    );
    assert.match(
      await cli.ok("run", "--rm", "--user", "nobody:tty", "debian", "id"),
      /^uid=65534\(nobody\) gid=5\(tty\)/m,
    );
  });

  it("is as dpkg left it: no file is missing or altered", async () => {
    // Documentation was left out on purpose, and tsrun gives the container its own names.
    const verified = await inside("sh", "-c", "dpkg --verify | grep -v ' /usr/share/' ; :");
    assert.equal(verified, "");
  });

  it("keeps set-user-ID bits, which no-new-privileges takes the force from", async () => {
    const mode = ["stat", "-c", "%a", "/usr/bin/passwd"];
    assert.equal(await inside(...mode), "4755");
    const show = ["--user=nobody", "debian", "grep", "NoNewPrivs", "/proc/self/status"];
    assert.match(await cli.ok("run", "--rm", ...show), /\t0$/);
    assert.match(
      await cli.ok("run", "--rm", "--security-opt", "no-new-privileges", ...show),
      /\t1$/,
    );
  });

  it("takes a package's files, keeps them over a restart, and shows them in diff", async () => {
    const install = "dpkg-deb --build /pkg /p.deb >/dev/null && dpkg -i /p.deb >/dev/null";
    const control =
      "Package: hello-tsrun\\nVersion: 1\\nArchitecture: all\\nMaintainer: a\\nDescription: b\\n";
    const build = `mkdir -p /pkg/DEBIAN /pkg/opt && printf '${control}' > /pkg/DEBIAN/control && echo hi > /pkg/opt/hi`;
    const script = `test -e /opt/hi && exec cat /opt/hi; ${build} && ${install}`;
    await cli.ok("create", "--name", "apt", "debian", "sh", "-c", script);
    assert.equal(await cli.ok("start", "-a", "apt"), "");
    assert.equal(await cli.ok("start", "-a", "apt"), "hi");
    const changes = await cli.ok("diff", "apt");
    assert.match(changes, /^A \/opt\/hi$/m);
    assert.match(changes, /^C \/var\/lib\/dpkg\/status$/m);
    await cli.ok("rm", "apt");
  });
});
