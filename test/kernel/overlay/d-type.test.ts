import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const PROBE = join(import.meta.dirname, "../../../src/overlay/index.ts");
const unavailable =
  spawnSync("mke2fs", ["-V"]).error || spawnSync("losetup", ["--find"]).status !== 0
    ? "needs mke2fs and a loop device"
    : false;

describe("a file system without d_type", { skip: unavailable }, () => {
  let base: string;
  before(() => {
    base = mkdtempSync(join(tmpdir(), "tsrun-dtype-"));
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  /** What probeOverlay says of a directory with one file, on an ext4 with these features. */
  function probeOn(features: string): string {
    const image = join(base, "image");
    writeFileSync(image, "");
    truncateSync(image, 8 << 20);
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-O", features, image]);
    const program = `
      import { probeOverlay } from ${JSON.stringify(PROBE)};
      process.stdout.write(String(probeOverlay("/mnt/below/it").unfitFileSystem));`;
    const script =
      'mount -o loop "$0" /mnt && mkdir /mnt/below && touch /mnt/below/file && exec "$@"';
    const node = [process.execPath, "--input-type=module", "-e", program];
    const argv = ["-m", "--propagation", "private", "sh", "-c", script, image, ...node];
    return execFileSync("unshare", argv, { encoding: "utf8" });
  }

  it("is found unfit for a writable layer", () => {
    assert.equal(probeOn("^filetype,^has_journal"), "a file system without d_type");
  });

  it("is told from one that has it", () => {
    assert.equal(probeOn("filetype,^has_journal"), "undefined");
  });
});
