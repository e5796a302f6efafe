/**
 * A store of a test's own, with a busybox image in it, removed with everything that the test left.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  checkSystem,
  type Engine,
  importImage,
  listContainers,
  openEngine,
  removeContainer,
} from "../../src/engine/index.ts";
import { removeTree } from "../../src/ffi/index.ts";
import { busyboxRoot } from "./roots.ts";

export const IMAGE = "busybox";

export interface TestStore {
  readonly engine: Engine;
  /** For the library's functions. */
  readonly store: { readonly root: string; readonly runRoot: string };
  /** Where a test may put its own files. */
  readonly directory: string;
  /** Warnings of the engine, in order. */
  readonly warnings: readonly string[];
  /** Kills and removes every container, then everything else. */
  readonly remove: () => Promise<void>;
}

/** `below`: on which file system. A tmpfs waits for no disk, where a test changes hundreds of records. */
export async function makeStore({ below = tmpdir() } = {}): Promise<TestStore> {
  const directory = mkdtempSync(join(below, "tsrun-store-"));
  const store = { root: join(directory, "root"), runRoot: join(directory, "run") };
  const warnings: string[] = [];
  const engine = openEngine({ ...store, log: (message) => warnings.push(message) });
  await importImage(engine, await busyboxRoot(), IMAGE, { config: { Cmd: ["sh"] } });
  return {
    engine,
    store,
    directory,
    warnings,
    remove: async () => {
      for (const { config } of await listContainers(engine, { all: true })) {
        await removeContainer(engine, config.id, { force: true, ignoreMissing: true });
      }
      await checkSystem(engine, { repair: true });
      removeTree(directory);
    },
  };
}
