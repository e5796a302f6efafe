/**
 * A container's upper becomes a layer: what is in it (as GNU tar lists it), and that the image shows
 * exactly what the container saw (as GNU tar packs both).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setXattr } from "../../../src/ffi/index.ts";
import {
  type CommitImageOptions,
  commitImage,
  ImageStore,
  importImage,
  layerDirectories,
  type PackOptions,
  packUpper,
  type StoredImage,
} from "../../../src/images/index.ts";
import { createUpper } from "../../../src/overlay/index.ts";
import { gnuList, gnuTar, gnuTarCommand, gnuUntar } from "../../support/gnu-tar.ts";

/** cap_net_raw=ep, struct vfs_cap_data of revision 2. */
const CAP_NET_RAW = Buffer.from("0100000200200000000000000000000000000000", "hex");

let base: string;
let store: ImageStore;
let image: StoredImage;

before(async () => {
  // tmpfs carries an upper on every machine, the VM included.
  base = mkdtempSync("/dev/shm/tsrun-commit-");
  store = new ImageStore(join(base, "store"));
  const root = join(base, "root");
  for (const directory of ["etc", "usr/share/doc", "var/cache/apt", "bin"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  for (const file of ["etc/hosts", "etc/motd", "usr/share/doc/a", "usr/share/doc/b", "bin/sh"]) {
    writeFileSync(join(root, file), file);
  }
  linkSync(join(root, "bin/sh"), join(root, "bin/ash"));
  writeFileSync(join(root, "var/cache/apt/x"), "x");
  image = await importImage(store, root, "base", {});
});
after(() => rmSync(base, { recursive: true, force: true }));

/** An overlay on the layers, changed by a shell script in its root; what it shows, and its upper. */
function change(layers: readonly string[], script: string) {
  const dir = mkdtempSync(join(base, "container-"));
  const upper = { dir: join(dir, "upper"), work: join(dir, "work") };
  createUpper(upper, layers[0]);
  const options = `upperdir=${upper.dir},workdir=${upper.work}`;
  return { upper: upper.dir, shown: mounted(layers, { options, script }) };
}

/** What GNU tar packs of the layers' overlay. */
function mounted(layers: readonly string[], { options = "", script = "" } = {}): Buffer {
  const dir = mkdtempSync(join(base, "merged-"));
  // A lone layer is no overlay for the kernel.
  const lower = [...layers, ...(options === "" ? [mkdtempSync(join(base, "empty-"))] : [])];
  const how = [`lowerdir=${lower.join(":")}`, options].filter((part) => part !== "").join(",");
  const file = join(base, "shown.tar");
  const pack = gnuTarCommand(dir, file);
  const mount = `mount -t overlay -o "${how}" overlay ${dir}`;
  const commands = `${mount} && cd ${dir} && ( ${script || "true"} ) && cd / && ${pack}`;
  execFileSync("unshare", ["-m", "--propagation", "private", "sh", "-e", "-c", commands]);
  return readFileSync(file);
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The layer's members as "TYPE NAME", or "TYPE NAME TARGET" of links. */
async function members(upper: string, options?: PackOptions): Promise<string[]> {
  return gnuList(await readAll(packUpper(upper, options))).map((line) => {
    const [, type = "", name = ""] = /^(.)\S+ +\S+ +\S+ \S+ \S+ +(.*)$/.exec(line) ?? [];
    return `${type} ${name.replace(/^\.\//, "/")}`;
  });
}

function commit(upper: string, options: Partial<CommitImageOptions> = {}): Promise<StoredImage> {
  const layers = [() => packUpper(upper)];
  return commitImage(store, { base: image, layers, config: {}, step: {}, ...options });
}

describe("packUpper", () => {
  const layers = () => layerDirectories(store, image);

  for (const [what, script, expected] of [
    ["a new file", "echo 1 > etc/new", ["d etc/", "- etc/new"]],
    ["a removed file", "rm etc/motd", ["d etc/", "- etc/.wh.motd"]],
    [
      "a removed directory",
      "rm -r usr/share/doc",
      ["d usr/", "d usr/share/", "- usr/share/.wh.doc"],
    ],
    [
      "a directory that replaces another",
      "rm -r usr/share/doc; mkdir usr/share/doc; echo > usr/share/doc/b",
      [
        "d usr/",
        "d usr/share/",
        "d usr/share/doc/",
        "- usr/share/doc/.wh..wh..opq",
        "- usr/share/doc/b",
      ],
    ],
    ["a file in a directory's place", "rm -r var; echo > var", ["- var"]],
    [
      "hard links, once",
      "echo 1 > one; ln one two; ln -s one sym; ln sym sym2",
      ["- one", "l sym -> one", "h sym2 link to sym", "h two link to one"],
    ],
    ["a fifo", "mkfifo etc/fifo", ["d etc/", "p etc/fifo"]],
    ["a copied-up link apart from the other", "echo >> bin/ash", ["d bin/", "- bin/ash"]],
    ["names that are no UTF-8", "touch \"$(printf 'a\\377')\"", ["- a\\377"]],
    ["names in the order of bytes", "touch B a Z.b Z", ["- B", "- Z", "- Z.b", "- a"]],
  ] as const) {
    it(`writes ${what}`, async () => {
      const { upper } = change(layers(), script);
      assert.deepEqual(await members(upper), ["d /", ...expected]);
    });
  }

  it("writes devices with their numbers", async () => {
    const { upper } = change(layers(), "mknod tty c 5 0; mknod disk b 8 300");
    const [, disk, tty] = gnuList(await readAll(packUpper(upper)));
    assert.match(disk ?? "", /^brw.* 8,300 .* disk$/);
    assert.match(tty ?? "", /^crw.* 5,0 .* tty$/);
  });

  it("leaves out sockets and names that a layer cannot hold, and says so", async () => {
    const { upper } = change(layers(), "touch kept .wh.trap");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(upper, "socket"), resolve));
    const warnings: string[] = [];
    const found = await members(upper, { warn: (message) => warnings.push(message) });
    await new Promise((resolve) => server.close(resolve));
    assert.deepEqual(found, ["d /", "- kept"]);
    assert.deepEqual(warnings, [
      '"/.wh.trap" is left out: a layer cannot hold that name',
      'the socket "/socket" is left out: an archive cannot hold it',
    ]);
  });

  it("says all of a file: mode 0, far and fractional times, owners, attributes", async () => {
    const script =
      "echo > f; chown 3000000:4000000000 f; touch -d '2106-02-07 06:28:15.123456789 UTC' f; chmod 0 f";
    const { upper } = change(layers(), script);
    setXattr(join(upper, "f"), "trusted.binary", Buffer.from([0, 1, 255, 10, 61]));
    setXattr(join(upper, "f"), "security.capability", CAP_NET_RAW);
    const same = mkdtempSync(join(base, "same-"));
    gnuUntar(await readAll(packUpper(upper)), same);
    const shown = gnuTar(same);
    assert.match(
      gnuList(shown).join("\n"),
      /^-{10} +3000000\/4000000000 +1 2106-02-07 06:28:15\.123456789 \.\/f$/m,
    );
    assert.ok(
      shown.includes(
        Buffer.concat([
          Buffer.from("SCHILY.xattr.trusted.binary="),
          Buffer.from([0, 1, 255, 10, 61]),
        ]),
      ),
    );
  });

  it("gives every member the time that is asked for, and the same bytes for the same contents", async () => {
    const script = "mkdir d; echo 1 > d/f; rm etc/motd; ln d/f g";
    const options = { mtimeNs: 1_700_000_000_500_000_000n };
    const [one, two] = [change(layers(), script), change(layers(), `sleep 0.02; ${script}`)];
    const packed = await readAll(packUpper(one.upper, options));
    assert.ok(packed.equals(await readAll(packUpper(two.upper, options))));
    assert.ok(!packed.equals(await readAll(packUpper(one.upper))));
  });

  it("refuses an upper that leans on the layers below in overlayfs's own ways", async () => {
    for (const [attribute, message] of [
      ["trusted.overlay.redirect", /a directory that was renamed: "moved"/],
      ["trusted.overlay.metacopy", /a file without its contents: "moved"/],
    ] as const) {
      const { upper } = change(
        layers(),
        attribute.endsWith("redirect") ? "mkdir moved" : "touch moved",
      );
      setXattr(join(upper, "moved"), attribute, Buffer.from("/etc"));
      await assert.rejects(readAll(packUpper(upper)), { code: "OVERLAY_UNSUPPORTED", message });
    }
  });

  it("knows whiteouts in attribute form, as overlays in user namespaces write them", async () => {
    const { upper } = change(layers(), "mkdir etc/sub; touch etc/sub/gone etc/sub/kept");
    setXattr(join(upper, "etc/sub"), "trusted.overlay.opaque", Buffer.from("x"));
    setXattr(join(upper, "etc/sub/gone"), "trusted.overlay.whiteout", Buffer.from("y"));
    assert.deepEqual(await members(upper), [
      "d /",
      "d etc/",
      "d etc/sub/",
      "- etc/sub/.wh.gone",
      "- etc/sub/kept",
    ]);
  });

  it("waits for its reader, and ends when that gives up", async () => {
    const script = "i=0; while [ $i -lt 3000 ]; do ln -s nowhere link-$i; i=$((i+1)); done";
    const { upper } = change(layers(), script);
    const before = openDescriptors();
    const stream = packUpper(upper);
    const reader = stream[Symbol.asyncIterator]();
    await reader.next();
    for (let turn = 0; turn < 500; turn += 1) await setImmediate();
    const { buffered } = (stream as unknown as { _readableState: { buffered: number } })
      ._readableState;
    assert.ok(buffered < 100_000, `${buffered} bytes wait for the reader`);
    assert.ok(openDescriptors() > before, "it is not at its end");
    await reader.return?.();
    while (openDescriptors() > before) await setImmediate();
    const whole = gnuList(await readAll(packUpper(upper)));
    assert.equal(whole.length, 3001);
  });

  it("fills up a file that shrinks while it is read", async () => {
    const { upper } = change(layers(), "head -c 3000000 /dev/urandom > large");
    const chunks: Uint8Array[] = [];
    let size = 0;
    const warnings: string[] = [];
    const options = { warn: (message: string) => warnings.push(message) };
    for await (const chunk of packUpper(upper, options) as AsyncIterable<Uint8Array>) {
      // Well into the file: its header has said how long it is.
      if (size < 100_000 && size + chunk.length >= 100_000)
        truncateSync(join(upper, "large"), 1_000_000);
      size += chunk.length;
      chunks.push(chunk);
    }
    const listed = gnuList(Buffer.concat(chunks));
    assert.match(listed.join("\n"), / 3000000 .* large$/m);
    assert.match(warnings.join("\n"), /^"\/large" has become shorter/);
  });
});

describe("commitImage", () => {
  it("shows what the container saw, to the last attribute", async () => {
    const script = [
      "rm etc/motd; rm -r usr/share/doc; mkdir usr/share/doc; echo new > usr/share/doc/b",
      "chmod 1777 var/cache; chown 12:34 bin/sh; mkfifo fifo; mknod null c 1 3; ln bin/sh hard",
      "mkdir -p deep/er; echo x > deep/er/f; chmod 0 deep/er/f; chmod 700 .; mv etc/hosts hosts",
      "setfattr -n trusted.t -v 1 deep; setfattr -h -n trusted.l -v 2 fifo; ln -s nowhere link",
      "truncate -s 5M sparse; touch -d '1960-01-01 00:00:00.5 UTC' old",
    ].join("; ");
    const { upper, shown } = change(layerDirectories(store, image), script);
    const committed = await commit(upper, { name: "localhost/committed:latest" });
    const again = mounted(layerDirectories(store, committed));
    assert.deepEqual(gnuList(again), gnuList(shown));
    assert.ok(again.equals(shown), "GNU tar packs both the same");
    assert.deepEqual(committed.names, ["localhost/committed:latest"]);
    assert.equal(committed.manifest.layers.length, 2);
  });

  it("stands on what it was made from, and says who made it", async () => {
    const { upper } = change(layerDirectories(store, image), "echo > f");
    const step = { author: "A", comment: "C", createdBy: "sh", created: "2020-01-02T03:04:05Z" };
    const committed = await commit(upper, { step, config: { Cmd: ["f"] } });
    assert.deepEqual(committed.config.rootfs.diff_ids.slice(0, 1), image.config.rootfs.diff_ids);
    assert.equal(committed.config.author, "A");
    assert.deepEqual(committed.config.config, { Cmd: ["f"] });
    assert.deepEqual(committed.config.history?.at(-1), {
      ...{ created: "2020-01-02T03:04:05Z", created_by: "sh", author: "A", comment: "C" },
    });
  });

  it("changes the configuration alone where there is no layer", async () => {
    const committed = await commitImage(store, { base: image, config: { User: "1" }, step: {} });
    assert.deepEqual(committed.manifest.layers, image.manifest.layers);
    assert.equal(committed.config.history?.at(-1)?.empty_layer, true);
  });

  it("leaves nothing of a layer whose stream breaks", async () => {
    const before = [readdirSync(store.blobsDirectory), readdirSync(store.layersDirectory)];
    async function* broken() {
      const { upper } = change(layerDirectories(store, image), "echo > broken");
      for await (const chunk of packUpper(upper)) {
        yield (chunk as Uint8Array).subarray(0, 100);
        throw new Error("gone");
      }
    }
    await assert.rejects(commit("", { layers: [broken] }), /gone/);
    assert.deepEqual(
      [readdirSync(store.blobsDirectory), readdirSync(store.layersDirectory)],
      before,
    );
    assert.deepEqual(readdirSync(store.temporaryDirectory), []);
  });
});
