/** Volumes that have mounts of the host's below them: made in a mount namespace of this test's own. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { mount } from "../../../src/ffi/index.ts";
import type { OciMount } from "../../../src/spec/index.ts";
import { enterPrivateMounts } from "../ffi/private-mounts.ts";
import { runInFileSystem, USUAL_MOUNTS } from "./container.ts";
import { hostMounts, makeImage, type TestImage, unavailable } from "./image.ts";

const MS_SHARED = 1 << 20;

/** A volume with a tmpfs mounted on its "sub". */
function makeVolume(image: TestImage, { shared = false } = {}): string {
  const volume = join(image.directory, "volume");
  mkdirSync(volume);
  mount({ source: "volume", target: volume, type: "tmpfs" });
  if (shared) mount({ target: volume, flags: MS_SHARED });
  mkdirSync(join(volume, "sub"));
  mount({ source: "sub", target: join(volume, "sub"), type: "tmpfs" });
  writeFileSync(join(volume, "sub/inside"), "");
  return volume;
}

function bind(source: string, ...options: string[]): OciMount {
  return { destination: "/volume", type: "bind", source, options };
}

describe("a volume with mounts below it", { skip: unavailable() ?? false }, () => {
  before(() => {
    process.env["TSRUN_TEST_TMP"] = enterPrivateMounts();
  });

  const run = (image: TestImage, entry: OciMount, script: string) =>
    runInFileSystem(image.directory, {
      root: image.root(),
      mounts: [...USUAL_MOUNTS, entry],
      script,
    });

  /** The directory stays: it is under mounts until this process ends. */
  const image = () => makeImage();
  const WRITES =
    "touch /volume/x 2>/dev/null && echo top; touch /volume/sub/y 2>/dev/null && echo sub";

  it("comes with them by rbind and without them by bind", async () => {
    const made = image();
    const volume = makeVolume(made);
    const script = "test -e /volume/sub/inside && echo seen || echo hidden";
    assert.equal((await run(made, bind(volume, "rbind"), script)).stdout, "seen\n");
    assert.equal((await run(made, bind(volume, "bind"), script)).stdout, "hidden\n");
  });

  it("is read-only at its top with ro and to the bottom with rro", async () => {
    const made = image();
    const volume = makeVolume(made);
    assert.equal((await run(made, bind(volume, "rbind"), WRITES)).stdout, "top\nsub\n");
    assert.equal((await run(made, bind(volume, "rbind", "ro"), WRITES)).stdout, "sub\n");
    assert.equal((await run(made, bind(volume, "rbind", "rro"), WRITES)).stdout, "");
  });

  it("stays as it is for the host, whatever the container's attributes are", async () => {
    const made = image();
    const volume = makeVolume(made);
    const mounts = hostMounts();
    await run(made, bind(volume, "rbind", "rro", "rnoexec"), "true");
    assert.equal(hostMounts(), mounts);
    writeFileSync(join(volume, "sub/host-still-writes"), "");
  });

  it("passes a container's mount to the host only by rshared", async () => {
    const mounting =
      "mkdir /volume/new; mount -t tmpfs tmpfs /volume/new && touch /volume/new/made";
    for (const [propagation, reaches] of [
      ["rprivate", false],
      ["rslave", false],
      ["rshared", true],
    ] as const) {
      const made = image();
      const volume = makeVolume(made, { shared: true });
      const { code, stderr } = await run(made, bind(volume, "rbind", propagation), mounting);
      assert.equal(code, 0, stderr);
      assert.equal(existsSync(join(volume, "new/made")), reaches, propagation);
    }
  });
});
