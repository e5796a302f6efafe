/** What all contests share: a store with an image, a plain root, and the peers' bundles. */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { createBusyboxRoot } from "../scripts/busybox-root.ts";
import { composeConfig } from "../src/engine/create.ts";
import { openEngine } from "../src/engine/engine.ts";
import { prepareRun } from "../src/engine/prepare.ts";
import type { ContainerId } from "../src/engine/records.ts";
import type { ContainerRequest } from "../src/engine/request.ts";
import { resolveRoot } from "../src/engine/root.ts";
import { closePrepared } from "../src/runtime/index.ts";
import { writeBundle } from "./peers.ts";

export const PROJECT: string = join(import.meta.dirname, "..");
export const TSRUN: string = join(PROJECT, "bin/tsrun");
const BUSYBOX = "/bin/busybox";
const IMAGE = "bench";
/** The parent of the bundles' cgroupsPath: runc makes it and removes only what is below. */
const PEERS_CGROUP = "/sys/fs/cgroup/tsrun-bench";

export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  /** Where tsrun keeps things; also in the environment. */
  readonly store: { readonly root: string; readonly runRoot: string };
  readonly image: string;
  /** The same files as a plain directory. */
  readonly rootfs: string;
  /** On an overlay that is mounted already, as an engine prepares it. */
  readonly bundle: string;
  readonly bundleWithoutSeccomp: string;
  /** On the plain directory. */
  readonly plainBundle: string;
  readonly sleepingBundle: string;
}

export async function makeWorkspace(): Promise<Workspace> {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-bench-"));
  const store = { root: join(folder, "store"), runRoot: `/run/tsrun-bench-${process.pid}` };
  process.env["TSRUN_ROOT"] = store.root;
  process.env["TSRUN_RUN_ROOT"] = store.runRoot;
  const rootfs = join(folder, "rootfs");
  mkdirSync(rootfs);
  createBusyboxRoot({ busybox: BUSYBOX, folder: rootfs });
  await execa(TSRUN, ["image", "import", rootfs, IMAGE]);
  const merged = await mountOverlay(folder, rootfs);
  const spec = await composeSpec(store, { image: IMAGE, command: ["/bin/true"] });
  const args = ["/bin/true"];
  return {
    folder,
    store,
    image: IMAGE,
    rootfs,
    bundle: writeBundle(join(folder, "bundle"), spec, { root: merged, args }),
    bundleWithoutSeccomp: writeBundle(join(folder, "open"), spec, {
      ...{ root: merged, args, seccomp: false },
    }),
    plainBundle: writeBundle(join(folder, "plain"), spec, { root: rootfs, args }),
    sleepingBundle: writeBundle(join(folder, "sleeping"), spec, {
      ...{ root: merged, args: ["/bin/sleep", "1000"] },
    }),
    [Symbol.asyncDispose]: async () => {
      await execa("umount", [merged]);
      if (existsSync(PEERS_CGROUP)) rmdirSync(PEERS_CGROUP);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function mountOverlay(folder: string, lower: string): Promise<string> {
  const [upper, work, merged] = ["upper", "work", "merged"].map((name) => {
    const path = join(folder, "overlay", name);
    mkdirSync(path, { recursive: true });
    return path;
  });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},volatile`;
  await execa("mount", ["-t", "overlay", "overlay", "-o", options, merged ?? ""]);
  return merged ?? "";
}

/** What the engine would give its own runtime for this request. */
async function composeSpec(store: Workspace["store"], request: ContainerRequest) {
  const engine = openEngine(store);
  const config = composeConfig({
    id: "0".repeat(64) as ContainerId,
    name: "bench",
    request,
    root: resolveRoot(engine, request),
    userns: undefined,
  });
  const { spec, prepared } = await prepareRun(engine, config, undefined);
  closePrepared(prepared);
  return spec;
}
