import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import tar from "tar-stream";
import { ImageStore, importImage, layerDirectories } from "../../../src/images/index.ts";

type Header = Parameters<ReturnType<typeof tar.pack>["entry"]>[0];
type Member = Partial<Header> & { readonly name: string; readonly body?: string };

let base: string;
let store: ImageStore;

before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-hostile-"));
});
after(() => rmSync(base, { recursive: true, force: true }));

async function archive(members: readonly Member[]): Promise<string> {
  const pack = tar.pack();
  for (const { body, ...header } of members) pack.entry(header as Header, body ?? "");
  pack.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of pack as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const path = join(base, `archive-${Math.random().toString(36).slice(2)}.tar`);
  writeFileSync(path, Buffer.concat(chunks));
  return path;
}

/** Imports into a store of its own, beside a directory that nothing may touch. */
async function tryImport(members: readonly Member[]): Promise<{ layer: string; outside: string }> {
  const root = mkdtempSync(join(base, "store-"));
  const outside = join(root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "kept");
  store = new ImageStore(root);
  const image = await importImage(store, await archive(members), "hostile", {});
  return { layer: layerDirectories(store, image)[0] ?? "", outside };
}

function assertUntouched(outside: string): void {
  assert.deepEqual(readdirSync(outside), ["kept"]);
  assert.equal(readFileSync(join(outside, "kept"), "utf8"), "kept");
}

describe("an archive that wants out of its layer", () => {
  const refused: readonly (readonly [string, readonly Member[]])[] = [
    ["a member with .. in its name", [{ name: "../../outside/new", body: "x" }]],
    ["a member with .. in the middle", [{ name: "a/../../outside/new", body: "x" }]],
    [
      "a hard link to a file outside",
      [{ name: "passwd", type: "link", linkname: "../../../../etc/passwd" }],
    ],
    [
      "a hard link to what is not in it",
      [{ name: "passwd", type: "link", linkname: "/etc/passwd" }],
    ],
    ["a whiteout of nothing", [{ name: ".wh.", body: "" }]],
    ["a whiteout of ..", [{ name: ".wh...", body: "" }]],
    [
      "a device that is a whiteout",
      [{ name: "null", type: "character-device", devmajor: 0, devminor: 0 }],
    ],
    [
      "a file used as a directory",
      [
        { name: "a", body: "x" },
        { name: "a/b", body: "y" },
      ],
    ],
  ];
  for (const [what, members] of refused) {
    it(`refuses ${what}, and keeps nothing`, async () => {
      await assert.rejects(tryImport(members), { code: "IMAGE_INVALID" });
      assert.deepEqual(readdirSync(store.temporaryDirectory), []);
      assert.deepEqual(readdirSync(join(store.directory, "layers")), []);
      assert.deepEqual(store.images(), []);
    });
  }

  it("writes through an absolute symlink only below its layer", async () => {
    const { outside } = await tryImport([{ name: "before", body: "" }]);
    const members: readonly Member[] = [
      { name: "link", type: "symlink", linkname: outside },
      { name: "link/new", body: "x" },
    ];
    await assert.rejects(tryImport(members), { code: "IMAGE_INVALID" });
    const inLayer: Member = { name: `${outside.slice(1)}/`, type: "directory" };
    const { layer } = await tryImport([inLayer, ...members]);
    assertUntouched(outside);
    assert.equal(existsSync(join(layer, outside, "new")), true);
  });

  it("replaces a symlink by the later member of the same name, not its target", async () => {
    const { outside } = await tryImport([{ name: "before", body: "" }]);
    const { layer } = await tryImport([
      { name: "kept", type: "symlink", linkname: join(outside, "kept") },
      { name: "kept", body: "mine" },
    ]);
    assertUntouched(outside);
    assert.equal(readFileSync(join(layer, "kept"), "utf8"), "mine");
  });

  it("removes a directory in the way below its layer, not what a link in it points to", async () => {
    const { outside } = await tryImport([{ name: "before", body: "" }]);
    const { layer } = await tryImport([
      { name: "dir/link", type: "symlink", linkname: outside },
      { name: "dir", body: "now a file" },
    ]);
    assertUntouched(outside);
    assert.equal(readFileSync(join(layer, "dir"), "utf8"), "now a file");
  });

  it("takes names that begin with a slash as names in the layer", async () => {
    const { layer } = await tryImport([{ name: "/etc/motd", body: "hello" }]);
    assert.equal(readFileSync(join(layer, "etc/motd"), "utf8"), "hello");
  });

  it("does not let a member forge the overlay's own attributes", async () => {
    const pax = { "SCHILY.xattr.trusted.overlay.redirect": "/etc" };
    const { layer } = await tryImport([{ name: "dir", type: "directory", pax } as Member]);
    assert.equal(existsSync(join(layer, "dir")), true);
  });

  it("stops at the limit of a bomb and keeps nothing", async () => {
    const root = mkdtempSync(join(base, "bomb-"));
    const bombed = new ImageStore(root);
    const path = await archive([{ name: "big", body: "0".repeat(100_000) }]);
    const limits = { maxBytes: 50_000, maxEntries: 10 };
    await assert.rejects(importImage(bombed, path, "bomb", { limits }), { code: "IMAGE_INVALID" });
    assert.deepEqual(readdirSync(bombed.temporaryDirectory), []);
  });

  it("refuses what is cut off, and what is no archive", async () => {
    const root = new ImageStore(mkdtempSync(join(base, "cut-")));
    const whole = readFileSync(await archive([{ name: "a", body: "x".repeat(5000) }]));
    const cut = join(base, "cut.tar");
    writeFileSync(cut, whole.subarray(0, 2000));
    await assert.rejects(importImage(root, cut, "cut", {}), { code: "IMAGE_INVALID" });
    const text = join(base, "text");
    writeFileSync(text, "no archive at all ".repeat(100));
    await assert.rejects(importImage(root, text, "text", {}), { code: "IMAGE_INVALID" });
    assert.deepEqual(readdirSync(root.temporaryDirectory), []);
  });
});
