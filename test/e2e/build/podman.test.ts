/** The same Containerfile in podman and in tsrun: the same configuration and the same files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect, makeContext } from "../../support/build-context.ts";
import { Cli, runProgram } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

const CONTAINERFILE = `
ARG BASE=nothing
FROM $BASE AS one
ARG WHO=default
ENV WHO=env
RUN echo "$WHO" > /said; mkdir -p /keep/empty; touch /keep/own; chown 5:6 /keep/own; \\
  chmod 4755 /keep/own; ln -s /all /keep/alink
FROM \${BASE:-busybox}
ARG V=val
ENV PATH=/bin A=1 B="x $V y" C=c\\ d
ENV OLD form of $A
WORKDIR /made/here
WORKDIR rel
COPY --from=one /keep /keep
COPY --from=one /said ./
COPY *.txt sub /all/
COPY one.txt /renamed
COPY --chown=1000:1001 --chmod=0751 one.txt two.txt /owned/
ADD archive.tgz /unpacked/
COPY sub /existing
COPY one.txt /keep/alink/through
RUN echo "$V $A" > /v; pwd > /pwd; rm -r /existing/deep
LABEL a=b "c d"='e f'
EXPOSE 80 90/udp
VOLUME /vol
USER 1000:1001
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=3 CMD true
ONBUILD RUN echo later
CMD ["base"]
ENTRYPOINT ["cat"]
`;

const FIND = `find / -xdev '(' -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /vol ')' \
-prune -o '(' -type d -exec stat -c '%n %a %u:%g %F' {} + ')' \
-o -exec stat -c '%n %a %u:%g %F %s %h' {} +`;

async function filesOf(image: string): Promise<readonly string[]> {
  const args = ["run", "--rm", "--image-volume", "ignore", "-u", "0", "--entrypoint", "sh"];
  const listing = await cli.ok(...args, image, "-c", FIND);
  return listing.split("\n").sort();
}

describe("podman build", () => {
  it("makes the same image", async (t) => {
    if (spawnSync("podman", ["--version"], { stdio: "ignore" }).error) {
      t.skip("needs podman");
      return;
    }
    const context = makeContext(cli, CONTAINERFILE, {
      ...{ "one.txt": "1", "two.txt": "22", "sub/deep/x": "x", "sub/y": "y", "sub/z.log": "z" },
      ...{ "data/i": "i", ".dockerignore": "**/*.log\n" },
    });
    chmodSync(join(context, "one.txt"), 0o640);
    chmodSync(join(context, "sub/deep"), 0o700);
    symlinkSync("y", join(context, "sub/link"));
    await cli.shell(`tar -C ${context}/data -czf ${context}/archive.tgz .`);
    const storage = ["--storage-driver", "vfs", "--root", cli.file("podman")];
    const podman = async (...args: readonly string[]) => {
      const global = [...storage, "--runroot", cli.file("podman-run"), "--tmpdir", cli.file("tmp")];
      const { status, stdout, stderr } = await runProgram("podman", [...global, ...args]);
      assert.equal(status, 0, `podman ${args[0]}: ${stderr}${stdout}`);
    };
    await cli.ok("image", "save", "--format", "oci-archive", "-o", cli.file("base.tar"), "busybox");
    try {
      await podman("load", "-q", "-i", cli.file("base.tar"));
      const theirs = ["--isolation", "chroot", "--layers=false", "--format", "docker"];
      const both = [
        "--build-arg",
        "BASE=busybox",
        "--network",
        "host",
        "-q",
        "-t",
        "same",
        context,
      ];
      await podman("build", ...theirs, ...both);
      await podman("save", "-q", "--format", "docker-archive", "-o", cli.file("s.tar"), "same");
      await cli.ok("load", "-q", "-i", cli.file("s.tar"));
      await cli.ok("build", ...both);
    } finally {
      rmSync(cli.file("podman"), { recursive: true, force: true });
    }
    const [wanted, found] = [await inspect(cli, "localhost/same"), await inspect(cli, "same")];
    const labels = { ...(wanted.Config["Labels"] as Record<string, string>) };
    delete labels["io.buildah.version"];
    assert.deepEqual(found.Config, { ...wanted.Config, Labels: labels });
    assert.deepEqual(await filesOf("same"), await filesOf("localhost/same"));
  });
});
