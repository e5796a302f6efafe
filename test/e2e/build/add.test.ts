/** ADD: archives of every kind, and files from a web server. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build, built, makeContext } from "../../support/build-context.ts";
import { Cli } from "../../support/cli.ts";

let cli: Cli;
let server: Server;
let url: string;
let body = "from the web";

before(async () => {
  cli = await Cli.open();
  server = createServer((request, response) => {
    if (request.url === "/moved") {
      response.writeHead(302, { location: "/file.txt?x=1" }).end();
    } else if (request.url?.startsWith("/file.txt")) {
      response.writeHead(200, { "last-modified": "Thu, 02 Jan 2020 03:04:05 GMT" }).end(body);
    } else {
      response.writeHead(404).end("no");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await cli[Symbol.asyncDispose]();
});

function shown(image: string, ...command: readonly string[]): Promise<string> {
  return cli.ok("run", "--rm", image, ...command);
}

describe("ADD", () => {
  it("unpacks archives, however they are packed, and copies what is none", async () => {
    const text = `FROM busybox
ADD plain.tar /plain
ADD a.gz a.zst a.xz a.bz2 /all/
ADD word.gz broken.gz /files/
ADD --chown=5:6 --exclude=b sub plain.tar /owned/
`;
    const context = makeContext(cli, text, {
      ...{ "broken.gz": "\u001f\u008b no archive", "sub/a": "a", "sub/b": "b" },
      ...{ "t/tar": "1", "t/gz": "2", "t/zst": "3", "t/xz": "4", "t/bz2": "5", word: "word" },
    });
    const made = await cli.shell(`set -e; cd ${join(context)}
tar -C t --owner=7 --group=8 -cf plain.tar tar
tar -C t -c gz | gzip > a.gz; tar -C t -c zst | zstd -q > a.zst
tar -C t -c xz | xz > a.xz; tar -C t -c bz2 | bzip2 > a.bz2; gzip -k word`);
    assert.equal(made.status, 0, made.stderr);
    const id = await cli.ok("build", "-q", context);
    const found = await shown(id, "find", "/plain", "/all", "/files", "/owned", "-type", "f");
    assert.deepEqual(found.split("\n").sort(), [
      ...["/all/bz2", "/all/gz", "/all/xz", "/all/zst", "/files/broken.gz", "/files/word.gz"],
      ...["/owned/a", "/owned/tar", "/plain/tar"],
    ]);
    const owners = await shown(id, "stat", "-c", "%u:%g", "/plain/tar", "/owned/tar", "/owned/a");
    assert.equal(owners, "7:8\n5:6\n5:6");
  });

  it("fetches files, follows where they are, and checks them", async () => {
    const sum = createHash("sha256").update(body).digest("hex");
    const text = `FROM busybox
ADD ${url}/file.txt?x=2 /into/
ADD --chmod=644 --checksum=sha256:${sum} ${url}/moved /as
`;
    const id = await built(cli, text);
    assert.equal(await shown(id, "cat", "/into/file.txt", "/as"), `${body}${body}`);
    const stat = await shown(id, "stat", "-c", "%a %Y", "/into/file.txt", "/as");
    assert.equal(stat, "600 1577934245\n644 1577934245");
    const again = await build(cli, text);
    assert.equal(again.stdout.trim(), id);
    body = "something else";
    const changed = await build(cli, text);
    assert.equal(changed.status, 125);
    assert.match(changed.stderr, /Containerfile:3: .*is not what --checksum says/);
    const missing = await build(cli, `FROM busybox\nADD ${url}/missing /x`);
    assert.match(missing.stderr, /Containerfile:2: .*HTTP status 404/);
  });

  it("lets no archive write outside of its directory", async () => {
    const context = makeContext(cli, "FROM busybox\nADD evil.tar /in/\n", { f: "f" });
    await cli.shell(`cd ${context} && tar -P --transform 's,^f$,../../escaped,' -cf evil.tar f`);
    const { status, stderr } = await cli.run(["build", context]);
    assert.equal(status, 125);
    assert.match(stderr, /Containerfile:2: .*leads outside of the archive/);
  });
});
