/** A small image directory and a writable layer, in a directory that is removed at the end. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RootMount } from "../../../src/spec/index.ts";

/** Debian's busybox-static; the shells and tools of the test images are links to it. */
const BUSYBOX = "/usr/bin/busybox";
const APPLETS = [
  "sh",
  "ls",
  "cat",
  "grep",
  "stat",
  "touch",
  "mkdir",
  "readlink",
  "id",
  "mount",
  "mv",
];

export interface TestImage extends Disposable {
  /** Everything of the test is below; containers assemble their roots in it. */
  readonly directory: string;
  readonly layer: string;
  readonly upper: string;
  readonly root: (options?: { idMapped?: boolean; extraLayers?: readonly string[] }) => RootMount;
}

/** Why the tests of this folder cannot run here; undefined when they can. */
export function unavailable(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root: mounts and namespaces";
  if (!existsSync(BUSYBOX)) return "needs Debian's busybox-static";
  return undefined;
}

export function makeImage(): TestImage {
  const directory = mkdtempSync(join(process.env["TSRUN_TEST_TMP"] ?? tmpdir(), "tsrun-rootfs-"));
  chmodSync(directory, 0o755); // a container's user namespace has no right to search a 0700 one
  const layer = join(directory, "layer");
  const [upper, work] = [join(directory, "container/upper"), join(directory, "container/work")];
  for (const path of [join(layer, "bin"), join(layer, "etc"), upper, work]) {
    mkdirSync(path, { recursive: true });
  }
  copyFileSync(BUSYBOX, join(layer, "bin/busybox"));
  for (const applet of APPLETS) symlinkSync("busybox", join(layer, "bin", applet));
  return {
    directory,
    layer,
    upper,
    root: ({ idMapped = false, extraLayers = [] } = {}) => ({
      kind: "overlay",
      lower: [...extraLayers, layer],
      upper: { dir: upper, work },
      options: [],
      idMapped,
    }),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

/** The mounts that this process sees; a container must leave them as they are. */
export function hostMounts(): string {
  return readFileSync("/proc/self/mountinfo", "utf8");
}
