/** Builds as a user types them: stages, arguments, files, commands. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build, built, inspect, makeContext } from "../../support/build-context.ts";
import { Cli } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** What a command in a container of the image prints. */
function shown(image: string, ...command: readonly string[]): Promise<string> {
  return cli.ok("run", "--rm", image, ...command);
}

describe("a build", () => {
  it("has stages, arguments, variables, users and directories", async () => {
    const text = `
ARG BASE=nothing
FROM \${BASE} AS one
ARG WHO=default
ENV WHO=env
RUN echo "$WHO $GIVEN" > /said
ARG GIVEN
RUN echo "$WHO $GIVEN" >> /said
FROM busybox
WORKDIR /made/here
COPY --from=one /said ./
RUN echo 'me:x:1000:1001::/:/bin/sh' >> /etc/passwd
USER me
RUN id -u > /tmp/id; pwd > /tmp/pwd
ENV A=1 B="x y"
LABEL kind=test
EXPOSE 80
ENTRYPOINT ["cat"]
CMD ["said"]
`;
    const id = await built(cli, text, {}, [
      ...["-t", "app:1", "-t", "app:2", "--build-arg", "BASE=busybox"],
      ...["--build-arg", "WHO=given", "--build-arg", "GIVEN=g", "--label", "more=yes"],
    ]);
    assert.equal(await cli.ok("run", "--rm", "app:1"), "env \nenv g");
    const { Config, RootFS } = await inspect(cli, "app:2");
    assert.deepEqual(
      { ...Config, Env: (Config["Env"] as string[]).filter((each) => /^(A|B)=/.test(each)) },
      {
        User: "me",
        ExposedPorts: { "80/tcp": {} },
        Env: ["A=1", "B=x y"],
        StopSignal: "",
        Entrypoint: ["cat"],
        Cmd: ["said"],
        WorkingDir: "/made/here",
        Labels: { kind: "test", more: "yes" },
      },
    );
    assert.equal(RootFS.Layers.length, 5);
    const seen = await shown(id, "/tmp/id", "/tmp/pwd");
    assert.equal(seen, "1000\n/made/here");
  });

  it("copies files as docker names them, and leaves out what is to be ignored", async () => {
    const text = `
FROM busybox
RUN mkdir /links && ln -s /links /to
COPY *.txt sub /all/
COPY one.txt /renamed
COPY --chown=1000:1001 --chmod=0640 one.txt /owned/
COPY sub/ /to
COPY <<EOF <<'RAW' /documents/
$HOME is \\$HOME
EOF
$HOME
RAW
ADD archive.tar /unpacked
ADD --unpack=false archive.tar /packed/
`;
    const context = makeContext(cli, text, {
      ...{ "one.txt": "1", "two.txt": "2", "sub/deep/x": "x", "sub/y": "y", "sub/z.log": "z" },
      ".containerignore": "**/*.log\narchive.tar.d\n",
    });
    mkdirSync(join(context, "archive.tar.d"));
    writeFileSync(join(context, "archive.tar.d/inside"), "i");
    await cli.shell(`tar -C ${context}/archive.tar.d -cf ${context}/archive.tar inside`);
    const id = await cli.ok("build", "-q", context);
    const found = await shown(id, "find", "/all", "/links", "/documents", "/unpacked", "/packed");
    assert.deepEqual(found.split("\n").sort(), [
      ...["/all", "/all/deep", "/all/deep/x", "/all/one.txt", "/all/two.txt", "/all/y"],
      ...["/documents", "/documents/EOF", "/documents/RAW"],
      ...["/links", "/links/deep", "/links/deep/x", "/links/y"],
      ...["/packed", "/packed/archive.tar", "/unpacked", "/unpacked/inside"],
    ]);
    assert.equal(
      await shown(id, "cat", "/renamed", "/documents/EOF", "/documents/RAW"),
      ["1 is $HOME", "$HOME"].join("\n"),
    );
    assert.equal(await shown(id, "stat", "-c", "%u:%g %a", "/owned/one.txt"), "1000:1001 640");
  });

  it("gives RUN mounts that get into no layer", async () => {
    const secret = cli.file("token");
    writeFileSync(secret, "w0rd-9873");
    const text = `
FROM busybox AS tools
RUN echo tool > /tool
FROM busybox
RUN --mount=type=cache,target=/cache,id=c ls /cache; echo kept >> /cache/file
RUN --mount=type=cache,target=/cache,id=c cat /cache/file > /from-cache
RUN --mount=type=secret,id=token --mount=type=secret,id=other,env=OTHER <<EOF
#!/bin/sh
wc -c < /run/secrets/token > /size
stat -c %a /run/secrets/token >> /size
echo "[$OTHER]" >> /size
EOF
RUN --mount=type=bind,target=/context --mount=from=tools,source=/tool,target=/tool \\
    --mount=type=tmpfs,target=/scratch \\
    cat /context/file /tool > /bound; echo x > /scratch/x; ! touch /context/file 2> /dev/null
`;
    const id = await built(cli, text, { file: "bound\n" }, ["--secret", `id=token,src=${secret}`]);
    const seen = await shown(
      id,
      "sh",
      "-c",
      "cat /from-cache /size /bound; ls -d /* /run/* 2> /dev/null || true",
    );
    const [words, paths] = [seen.split("\n").slice(0, 6), seen.split("\n").slice(6)];
    assert.deepEqual(words, ["kept", "9", "400", "[]", "bound", "tool"]);
    for (const gone of ["/cache", "/run/secrets", "/context", "/scratch", "/tool"]) {
      assert.ok(!paths.includes(gone), `${gone} is in the image`);
    }
    await cli.ok("image", "save", "--format", "oci-dir", "-o", cli.file("saved"), id);
    const blobs = await cli.shell(
      `for f in ${cli.file("saved")}/blobs/sha256/*; do zstd -dcf "$f" | grep -c w0rd; done`,
    );
    assert.match(blobs.stdout, /^(0\n)+$/);
    // A secret that is not given is no file; one that is required is an error.
    const missing = await build(cli, "FROM busybox\nRUN --mount=type=secret,id=none,required true");
    assert.match(missing.stderr, /Containerfile:2: there is no secret "none"/);
  });

  it("runs commands with the network and the limits that are asked for", async () => {
    const text = `
FROM busybox
RUN ip -o link | wc -l > /links; hostname > /name
RUN --network=host ip -o link | wc -l > /host-links
RUN cat /proc/self/cgroup > /cgroup; ulimit -a > /dev/null
`;
    const id = await built(cli, text);
    const [links, name, hostLinks] = (
      await shown(id, "cat", "/links", "/name", "/host-links")
    ).split("\n");
    assert.equal(links, "1");
    assert.equal(name, "build");
    const here = await cli.shell("ip -o link | wc -l");
    assert.equal(hostLinks, here.stdout.trim());
  });

  it("has a base's triggers, and builds from nothing", async () => {
    const base = "FROM busybox\nONBUILD COPY word /word\nONBUILD RUN echo triggered >> /word\n";
    await built(cli, base, {}, ["-t", "trigger"]);
    const id = await built(cli, "FROM trigger\nRUN echo own >> /word", { word: "context\n" });
    assert.equal(await shown(id, "cat", "/word"), "context\ntriggered\nown");
    assert.equal((await inspect(cli, id)).Config["OnBuild"], undefined);
    const scratch = await built(cli, 'FROM scratch\nCOPY word /\nCMD ["/word"]', { word: "x" });
    assert.equal((await inspect(cli, scratch)).RootFS.Layers.length, 1);
  });

  it("takes the Containerfile from stdin, and another stage as the target", async () => {
    const input = "FROM busybox AS a\nENV A=a\nFROM busybox\nRUN false";
    const id = await cli.okWith({ input }, "build", "-q", "--target", "a", "-");
    assert.equal(await shown(id, "sh", "-c", "echo $A"), "a");
    const context = makeContext(cli, "", { here: "context" });
    const text = "FROM busybox\nCOPY here /";
    const copied = await cli.okWith({ input: text }, "build", "-q", "-f", "-", context);
    assert.equal(await shown(copied, "cat", "/here"), "context");
    const iid = cli.file("iid");
    await cli.okWith({ input: text }, "build", "-q", "-f", "-", "--iidfile", iid, context);
    assert.equal((await cli.shell(`cat ${iid}`)).stdout, `sha256:${copied}`);
  });
});

describe("a hostile context", () => {
  it("stays in itself, whatever its links say", async () => {
    const text = `
FROM busybox
COPY ../../../../etc/hostname* ./out/ ./here/ /a/
COPY link/ /b/
COPY etc-link /c
`;
    const context = makeContext(cli, text, {
      ...{ "etc/hostname-of-context": "context", "out/f": "f", "here/h": "h" },
    });
    symlinkSync("/etc", join(context, "link"));
    symlinkSync("../../../../../../../../etc/hostname-of-context", join(context, "etc-link"));
    symlinkSync("/etc/passwd", join(context, "here/dangling"));
    const id = await cli.ok("build", "-q", context);
    const found = await shown(id, "find", "/a", "/b", "/c");
    assert.deepEqual(found.split("\n").sort(), [
      ...["/a", "/a/dangling", "/a/f", "/a/h", "/a/hostname-of-context"],
      ...["/b", "/b/hostname-of-context", "/c"],
    ]);
    assert.equal(await shown(id, "readlink", "/a/dangling"), "/etc/passwd");
    assert.equal(await shown(id, "cat", "/c"), "context");
  });

  it("cannot write outside of the image by the image's own links", async () => {
    const outside = cli.file("outside");
    mkdirSync(outside);
    const text = `
FROM busybox
RUN ln -s ${outside} /out && ln -s ../../../../../../..${outside} /up
COPY file /out/
COPY file /up/
WORKDIR /out/deep
`;
    const result = await build(cli, text, { file: "x" });
    assert.deepEqual(readdirSync(outside), []);
    // The links lead nowhere in the image: that is said, and nothing is made of it.
    assert.equal(result.status, 125);
    assert.match(result.stderr, /Containerfile:4: "\/out" cannot be copied to: it is no directory/);
  });

  it("gives no set-user-ID program to the image", async () => {
    const context = makeContext(cli, "FROM busybox\nCOPY tool /tool", { tool: "x" });
    chmodSync(join(context, "tool"), 0o6755);
    utimesSync(join(context, "tool"), 1000, 1000);
    const id = await cli.ok("build", "-q", context);
    assert.equal(await shown(id, "stat", "-c", "%a %u %Y", "/tool"), "755 0 1000");
  });
});
