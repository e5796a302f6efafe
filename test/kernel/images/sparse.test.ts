/**
 * GNU tar's sparse members, in each of their four forms, unpack to what GNU tar unpacks them to; and
 * lists that lie are refused.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ImageStore, importImage, layerDirectories } from "../../../src/images/index.ts";
import { gnuTar } from "../../support/gnu-tar.ts";

let base: string;
let tree: string;

before(() => {
  // tmpfs tells holes from zeros, page by page.
  base = mkdtempSync("/dev/shm/tsrun-sparse-");
  tree = join(base, "tree");
  mkdirSync(tree);
  const long = "n".repeat(90);
  sparse("hole-in-the-middle", 5_000_000, [0, 4_000_000]);
  sparse("only-a-hole", 3_000_000, []);
  sparse(`${long}-end`, 8_000_000, [7_999_999]);
  // More parts than the header has room for, and than one block after it.
  sparse(
    "many",
    4_000_000,
    Array.from({ length: 60 }, (_, at) => at * 65_536),
  );
  sparse("large", 9_000_000_000, [8_800_000_000]);
  writeFileSync(join(tree, "whole"), "not sparse\n");
});
after(() => rmSync(base, { recursive: true, force: true }));

function sparse(name: string, size: number, at: readonly number[]): void {
  const fd = openSync(join(tree, name), "wx");
  for (const offset of at) writeSync(fd, `data at ${offset}`.slice(0, size - offset), offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}

async function unpack(archive: string): Promise<string> {
  const store = new ImageStore(mkdtempSync(join(base, "store-")));
  return layerDirectories(store, await importImage(store, archive, "sparse", {}))[0] ?? "";
}

describe("sparse members", () => {
  for (const format of [
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=1.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=0.0"],
  ]) {
    it(`of ${format.join(" ")} are what they were, holes and all`, async () => {
      const archive = join(base, "sparse.tar");
      execFileSync("tar", ["-S", ...format, "-C", tree, "-cf", archive, "."]);
      assert.ok(statSync(archive).size < 10_000_000, "GNU tar has left out the holes");
      const layer = await unpack(archive);
      for (const name of ["hole-in-the-middle", "only-a-hole", "many", "large"]) {
        const [was, is] = [statSync(join(tree, name)), statSync(join(layer, name))];
        assert.deepEqual([is.size, is.blocks], [was.size, was.blocks], name);
      }
      execFileSync("diff", ["-r", "--exclude=large", tree, layer]);
      execFileSync("cmp", [
        "--ignore-initial=8790000000",
        join(tree, "large"),
        join(layer, "large"),
      ]);
    });
  }

  it("need no form of their own: what is only zeros becomes a hole", async () => {
    const archive = join(base, "zeros.tar");
    execFileSync("tar", ["--exclude=large", "-C", tree, "-cf", archive, "."]);
    const layer = await unpack(archive);
    assert.equal(statSync(join(layer, "only-a-hole")).blocks, 0);
    rmSync(join(tree, "large"));
    execFileSync("diff", ["-r", tree, layer]);
    assert.ok(gnuTar(layer).length > 0);
  });

  describe("that lie", () => {
    /** A member of PAX's form 0.1 with this list, made of one of 0.1 that is right. */
    async function tryMap(map: string, size = "100"): Promise<void> {
      const archive = join(base, "lie.tar");
      const records = { "GNU.sparse.map": map, "GNU.sparse.size": size, "GNU.sparse.name": "f" };
      writeFileSync(archive, paxArchive(records, "0123456789"));
      await unpack(archive);
    }

    it("are read where they do not", async () => {
      await tryMap("5,10");
      await tryMap("0,4,50,6");
    });

    for (const [what, map, size] of [
      ["overlap", "5,6,8,4", "100"],
      ["go backwards", "50,6,0,4", "100"],
      ["reach beyond the end", "95,10", "100"],
      ["say more than there is", "0,11", "100"],
      ["say less than there is", "0,9", "100"],
      ["have half a pair", "0,10,20", "100"],
      ["are no numbers", "a,b", "100"],
      ["count beyond numbers", "0,10", "99999999999999999999"],
      ["want a file larger than there can be", "0,10", "9007199254740991"],
    ] as const) {
      it(`are refused where they ${what}`, async () => {
        await assert.rejects(tryMap(map, size), { code: "IMAGE_INVALID" });
      });
    }

    it("are refused in the old form, too", async () => {
      const archive = join(base, "old.tar");
      execFileSync("tar", ["-S", "--format=gnu", "-C", tree, "-cf", archive, "many"]);
      const bytes = readFileSync(archive);
      const broken = join(base, "broken.tar");
      // Cut off in the middle of the list: tar-stream alone would take that for an end.
      writeFileSync(broken, bytes.subarray(0, 1024));
      await assert.rejects(unpack(broken), { code: "IMAGE_INVALID" });
      bytes.fill("7", 386, 386 + 11);
      fixChecksum(bytes);
      writeFileSync(broken, bytes);
      await assert.rejects(unpack(broken), { code: "IMAGE_INVALID" });
    });
  });
});

function header(name: string, type: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write("0000644\0", 100);
  for (const at of [108, 116]) block.write("0000000\0", at);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(type, 156);
  block.write("ustar\x0000", 257);
  fixChecksum(block);
  return block;
}

function fixChecksum(block: Buffer): void {
  block.fill(" ", 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}

function paxArchive(records: Readonly<Record<string, string>>, body: string): Buffer {
  const text = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      const length = [1, 2, 3].map((digits) => rest.length + digits);
      return `${length.find((all) => all === rest.length + String(all).length)}${rest}`;
    })
    .join("");
  const padded = (part: string) =>
    Buffer.concat([Buffer.from(part), Buffer.alloc(-part.length & 511)]);
  return Buffer.concat([
    header("pax", "x", text.length),
    padded(text),
    header("GNUSparseFile.0/f", "0", body.length),
    padded(body),
    Buffer.alloc(1024),
  ]);
}
