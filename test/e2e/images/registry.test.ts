/** A real registry, and the tools that others use with it: what they push is what tsrun pulls, and the other way round. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram } from "../../support/cli.ts";
import {
  DockerRegistry,
  dockerRegistryUnavailable,
  PASSWORD,
  USER,
} from "../../support/docker-registry.ts";
import { gnuList, gnuTar, gnuUntar } from "../../support/gnu-tar.ts";
import { busyboxRoot } from "../../support/roots.ts";

const unavailable = dockerRegistryUnavailable();

function lacks(...programs: readonly string[]): string | false {
  const missing = programs.filter(
    (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error !== undefined,
  );
  return missing.length === 0 ? false : `needs ${missing.join(", ")}`;
}

async function ok(command: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout.trim();
}

async function inspect(cli: Cli, name: string): Promise<Record<string, unknown>> {
  const [image] = JSON.parse(await cli.ok("image", "inspect", name)) as Record<string, unknown>[];
  return image ?? {};
}

describe("a registry without TLS", { skip: unavailable ?? false }, () => {
  let cli: Cli;
  let registry: DockerRegistry;
  const plain = "--tls-verify=false";

  before(async () => {
    [cli, registry] = await Promise.all([Cli.open(), DockerRegistry.open()]);
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it("is pushed to and pulled from, and the image runs", async () => {
    const name = `${registry.host}/team/busybox:1`;
    const digestFile = cli.file("digest");
    await cli.ok("push", plain, "--digestfile", digestFile, "busybox", name);
    const digest = readFileSync(digestFile, "utf8");
    await using other = await Cli.open({ image: false });
    const id = await other.ok("pull", "-q", plain, name);
    const pulled = await inspect(other, name);
    assert.equal(pulled["Id"], id);
    assert.equal(pulled["Digest"], digest);
    assert.deepEqual(pulled["RepoDigests"], [`${registry.host}/team/busybox@${digest}`]);
    const before = await inspect(cli, "busybox");
    assert.equal(pulled["Id"], before["Id"]);
    assert.equal(await other.ok("run", "--rm", name, "echo", "hello"), "hello");
  });

  it("gives an image to run that is not here, unless that is forbidden", async () => {
    const name = `${registry.host}/run/busybox:1`;
    await cli.ok("push", "-q", plain, "busybox", name);
    await using other = await Cli.open({ image: false });
    const never = await other.run(["run", "--rm", "--pull", "never", plain, name, "true"]);
    assert.equal(never.status, 125);
    assert.match(never.stderr, /there is no image/);
    const run = await other.run(["run", "--rm", plain, name, "echo", "pulled"]);
    assert.equal(run.stdout, "pulled\n");
    assert.match(run.stderr, /Trying to pull/);
    const again = await other.run(["run", "--rm", plain, name, "echo", "there"]);
    assert.equal(again.stderr, "");
  });

  it("is refused without --tls-verify=false, with a hint", async () => {
    const { status, stderr } = await cli.run(["pull", `${registry.host}/team/busybox:1`]);
    assert.equal(status, 125);
    assert.match(stderr, /does not speak TLS/);
    assert.match(stderr, /--tls-verify=false/);
  });

  it("is found by a short name, a mirror or an alias of registries.conf", async () => {
    await cli.ok("push", "-q", plain, "busybox", `${registry.host}/library/box:2`);
    const conf = cli.file("registries.conf");
    writeFileSync(
      conf,
      `unqualified-search-registries = ["nowhere.invalid", "search.invalid"]
[aliases]
"thebox" = "alias.invalid/box"
[[registry]]
prefix = "search.invalid"
location = "${registry.host}/library"
insecure = true
[[registry]]
prefix = "nowhere.invalid"
blocked = false
[[registry.mirror]]
location = "${registry.host}/nothing-here"
insecure = true
[[registry]]
prefix = "alias.invalid"
[[registry.mirror]]
location = "${registry.host}/library"
insecure = true
`,
    );
    await using other = await Cli.open({ image: false });
    const env = { CONTAINERS_REGISTRIES_CONF: conf };
    await other.okWith({ env }, "pull", "-q", "box:2");
    assert.equal(await other.okWith({ env }, "run", "--rm", "box:2", "echo", "1"), "1");
    await other.okWith({ env }, "pull", "-q", "thebox:2");
    const images = await other.ok("images", "--format", "{{.Repository}}:{{.Tag}}");
    assert.deepEqual(images.split("\n").sort(), ["alias.invalid/box:2", "search.invalid/box:2"]);
  });

  it("lends a blob of one repository to another", async () => {
    const first = `${registry.host}/lend/from:1`;
    await cli.ok("push", "-q", plain, "busybox", first);
    await using other = await Cli.open({ image: false });
    await other.ok("pull", "-q", plain, first);
    const { stderr } = await other.run(["push", plain, first, `${registry.host}/lend/to:1`]);
    assert.doesNotMatch(stderr, /blob \w+ done/);
    assert.match(stderr, /blob \w+ already there/);
  });

  it("has no referrers for an image that nobody has signed", async () => {
    const name = `${registry.host}/team/signed:1`;
    await cli.ok("push", "-q", plain, "busybox", name);
    assert.equal(await cli.ok("image", "referrers", plain, "--format", "json", name), "[]");
  });

  it("keeps the versions of a name that is pulled again and again", async () => {
    const name = `${registry.host}/versions/app:1`;
    await using other = await Cli.open({ image: false });
    for (const word of ["one", "two", "three"]) {
      const tree = cli.file(`tree-${word}`);
      mkdirSync(tree);
      writeFileSync(join(tree, "word"), word);
      await cli.ok("image", "import", "-q", tree, "versioned");
      await cli.ok("push", "-q", plain, "versioned", name);
      await other.ok("pull", "-q", plain, name);
    }
    const versions = () =>
      other.ok("image", "history-of", "--format", "{{.Version}}{{.Current}}", name);
    assert.deepEqual((await versions()).split("\n"), ["3*", "2", "1"]);
    const three = await inspect(other, name);
    assert.equal(await other.ok("image", "rollback", name), `${name}@2`);
    assert.notEqual((await inspect(other, name))["Id"], three["Id"]);
    assert.equal(await other.ok("image", "promote", `${name}@3`), `${name}@3`);
    assert.equal((await inspect(other, name))["Id"], three["Id"]);
    const pruned = await other.ok("image", "prune", "--versions");
    assert.equal(pruned.split("\n").length, 2);
    assert.deepEqual(await versions(), "3*");
    assert.match((await other.run(["image", "rollback", name])).stderr, /no earlier version/);
    await other.ok("image", "rm", name);
    assert.match(await other.ok("system", "df", "--format", "{{.RawSize}}"), /^0(\n0)*$/);
  });

  it("has the same from skopeo and umoci, of 1, 20 and 120 layers", {
    skip: lacks("skopeo", "umoci"),
  }, async () => {
    const layout = cli.file("layout");
    await ok("umoci", "init", "--layout", layout);
    await ok("umoci", "new", "--image", `${layout}:app`);
    const root = await busyboxRoot();
    await ok("umoci", "insert", "--image", `${layout}:app`, root, "/");
    const file = cli.file("file");
    for (let at = 1; at <= 120; at += 1) {
      if (at > 1) {
        writeFileSync(file, `${at}\n`);
        await ok("umoci", "insert", "--image", `${layout}:app`, file, `/files/${at % 40}`);
      }
      if (at !== 1 && at !== 20 && at !== 120) continue;
      const name = `${registry.host}/umoci/app:${at}`;
      await ok(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        `oci:${layout}:app`,
        `docker://${name}`,
      );
      await cli.ok("pull", "-q", plain, name);
      const raw = await ok("skopeo", "inspect", "--tls-verify=false", `docker://${name}`);
      const seen = JSON.parse(raw) as { Digest: string };
      const image = await inspect(cli, name);
      assert.equal(image["Digest"], seen.Digest);
      assert.equal((image["RootFS"] as { Layers: string[] }).Layers.length, at);
      const script = "cat /files/* | sort -n | tail -n 1";
      const last = await cli.ok("run", "--rm", name, "sh", "-c", at === 1 ? "echo 1" : script);
      assert.equal(last, String(at));
    }
    // And back: the manifest is pushed as it came.
    const back = `${registry.host}/umoci/back:120`;
    await cli.ok("push", "-q", plain, `${registry.host}/umoci/app:120`, back);
    const raw = await ok("skopeo", "inspect", "--tls-verify=false", `docker://${back}`);
    const { Digest } = JSON.parse(raw) as { Digest: string };
    assert.equal(Digest, (await inspect(cli, `${registry.host}/umoci/app:120`))["Digest"]);
  });

  it("has the same from podman and buildah, and they take what tsrun pushes", {
    skip: lacks("podman", "buildah"),
  }, async () => {
    const storage = ["--root", cli.file("podman"), "--runroot", cli.file("podman-run")];
    const vfs = [...storage, "--storage-driver", "vfs"];
    const name = `${registry.host}/team/from-tsrun:1`;
    await cli.ok("push", "-q", plain, "busybox", name);
    const id = await ok("podman", ...vfs, "pull", "-q", plain, name);
    assert.equal(id, (await inspect(cli, "busybox"))["Id"]);

    const tar = cli.file("root.tar");
    await ok("tar", "-C", await busyboxRoot(), "-cf", tar, ".");
    const working = await ok("buildah", ...vfs, "from", "scratch");
    await ok("buildah", ...vfs, "add", working, tar, "/");
    await ok("buildah", ...vfs, "config", "--cmd", "echo built", "--env", "A=b", working);
    for (const format of ["oci", "docker"]) {
      const built = `${registry.host}/team/from-buildah:${format}`;
      const image = await ok("buildah", ...vfs, "commit", "-q", "--format", format, working, built);
      await ok("podman", ...vfs, "push", "-q", plain, built);
      assert.equal(await cli.ok("pull", "-q", plain, built), image);
      assert.equal(await cli.ok("run", "--rm", built), "built");
      assert.equal(await cli.ok("run", "--rm", built, "sh", "-c", "echo $A"), "b");
    }
    await ok("podman", ...vfs, "rmi", "-a", "-f");
  });
});

describe("what a commit made", {
  skip: unavailable ?? lacks("podman", "skopeo", "umoci"),
}, () => {
  const SCRIPT = [
    "echo new > /etc/new; rm /bin/ash; mkdir -m 1777 /srv; mkfifo /srv/fifo; ln /etc/new /etc/hard",
    "rm -r /var; mkdir /var; echo x > /var/x; ln -s x /var/l; chmod 4755 /etc/new; chown 5:6 /var/x",
  ].join("; ");

  it("is the same image and the same files to podman, skopeo and umoci", async () => {
    await using registry = await DockerRegistry.open();
    await using cli = await Cli.open({ image: false });
    const plain = "--tls-verify=false";
    const name = `${registry.host}/team/committed:1`;
    // umoci knows no zstd.
    const gzip = ["--compression-format", "gzip"];
    await cli.ok("image", "import", "-q", ...gzip, await busyboxRoot(), "base");
    await cli.ok("run", "--name", "box", "base", "sh", "-c", SCRIPT);
    await cli.ok("commit", "-q", ...gzip, "-c", "CMD ls", "box", "made:1");
    await cli.ok("push", "-q", plain, "made:1", name);
    const { Digest, Id, RootFS } = (await inspect(cli, "made:1")) as {
      Digest: string;
      Id: string;
      RootFS: { Layers: string[] };
    };

    const raw = await ok("skopeo", "inspect", plain, `docker://${name}`);
    const seen = JSON.parse(raw) as { Digest: string; Layers: string[] };
    assert.equal(seen.Digest, Digest);
    assert.equal(seen.Layers.length, 2);
    const config = await ok("skopeo", "inspect", plain, "--config", `docker://${name}`);
    assert.deepEqual(JSON.parse(config).rootfs.diff_ids, RootFS.Layers);

    const expected = unpackExport(await cli.run(["export", "box"]), cli.file("expected"));
    const layout = cli.file("layout");
    await ok("skopeo", "copy", "--src-tls-verify=false", `docker://${name}`, `oci:${layout}:made`);
    await ok("umoci", "unpack", "--image", `${layout}:made`, cli.file("umoci"));
    assert.deepEqual(treeLines(cli.file("umoci/rootfs")), expected);

    const storage = ["--root", cli.file("podman"), "--runroot", cli.file("podman-run")];
    const vfs = [...storage, "--storage-driver", "vfs"];
    assert.equal(await ok("podman", ...vfs, "pull", "-q", plain, name), Id);
    const mounted = await ok("podman", ...vfs, "image", "mount", Id);
    assert.deepEqual(treeLines(mounted), expected);
    await ok("podman", ...vfs, "image", "umount", Id);
    const ofPodman = (await ok("podman", ...vfs, "diff", Id)).split("\n").sort();
    assert.deepEqual((await cli.ok("diff", "made:1")).split("\n").sort(), ofPodman);
    assert.ok(ofPodman.includes("D /bin/ash"), ofPodman.join("\n"));
    await ok("podman", ...vfs, "rmi", "-f", Id);
  });

  function unpackExport({ bytes }: { readonly bytes: Buffer }, directory: string): string[] {
    mkdirSync(directory);
    gnuUntar(bytes, directory);
    return treeLines(directory);
  }

  /** As GNU tar lists it; what is below "/" has been made in it since, so its own time is another's. */
  function treeLines(directory: string): string[] {
    return gnuList(gnuTar(directory)).map((line) =>
      line.endsWith(" ./") ? line.slice(0, line.indexOf(" ")) : line,
    );
  }
});

describe("a registry with TLS", { skip: unavailable ?? false }, () => {
  it("is trusted by its own authority only, or by whoever says so", async () => {
    await using registry = await DockerRegistry.open({ tls: true });
    await using cli = await Cli.open();
    const name = `${registry.host}/tls/busybox:1`;
    const refused = await cli.run(["push", "busybox", name]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /certificate is not trusted/);
    assert.match(refused.stderr, /certs\.d/);
    await cli.ok("push", "-q", "--cert-dir", registry.certDir, "busybox", name);
    await cli.ok("pull", "-q", "--cert-dir", registry.certDir, name);
    await cli.ok("pull", "-q", "--tls-verify=false", name);
    // certs.d/HOST in the user's own directory.
    const home = cli.file("home");
    const own = join(home, ".config/containers/certs.d", registry.host);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "ca.crt"), readFileSync(join(registry.certDir, "ca.crt")));
    await cli.okWith({ env: { HOME: home } }, "pull", "-q", name);
  });
});

for (const auth of ["basic", "token"] as const) {
  describe(`a registry with ${auth} authentication`, { skip: unavailable ?? false }, () => {
    it("lets in who logs in, keeps out who does not, and forgets who logs out", async () => {
      await using registry = await DockerRegistry.open({ auth });
      await using cli = await Cli.open();
      const plain = "--tls-verify=false";
      const authfile = ["--authfile", cli.file("auth.json")];
      const name = `${registry.host}/private/busybox:1`;
      const push = (...args: string[]) => cli.run(["push", "-q", plain, ...args, "busybox", name]);

      const denied = await push(...authfile);
      assert.equal(denied.status, 125);
      assert.match(denied.stderr, /refuses access/);
      const login = (password: string) =>
        cli.run(["login", plain, ...authfile, "-u", USER, "--password-stdin", registry.host], {
          input: `${password}\n`,
        });
      assert.equal((await login("wrong")).status, 125);
      assert.ok(!existsSync(cli.file("auth.json")));
      const good = await login(PASSWORD);
      assert.equal(good.stdout, "Login Succeeded!\n", good.stderr);
      assert.equal(await cli.ok("login", "--get-login", ...authfile, registry.host), USER);

      assert.equal((await push(...authfile)).stderr, "");
      await cli.ok("pull", "-q", plain, ...authfile, name);
      await cli.ok("pull", "-q", plain, "--creds", `${USER}:${PASSWORD}`, name);
      if (auth === "token") {
        assert.ok(registry.scopes.includes("repository:private/busybox:pull,push"));
        // Its token server lets anybody pull.
        await cli.ok("pull", "-q", plain, name);
      } else {
        assert.equal((await cli.run(["pull", plain, name])).status, 125);
      }
      await cli.ok("logout", ...authfile, registry.host);
      assert.equal((await push(...authfile)).status, 125);
      assert.equal((await cli.run(["logout", ...authfile, registry.host])).status, 125);
    });
  });
}
