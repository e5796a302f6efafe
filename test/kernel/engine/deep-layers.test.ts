/**
 * Snapshots and clones deeper than overlayfs stacks layers (500), and what they share.
 */
import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  checkSystem,
  cloneContainer,
  createContainer,
  inspectContainer,
  listSnapshots,
  readFrozenUsage,
  removeContainer,
  removeSnapshot,
  restoreContainer,
  snapshotContainer,
  startContainer,
  waitContainer,
} from "../../../src/engine/index.ts";
import { currentUpper, layerPath, layersOf } from "../../../src/engine/layers.ts";
import type { ContainerConfig } from "../../../src/engine/records.ts";
import { fileOf, stackFrozenLayers } from "../../support/frozen-layers.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

const DEPTH = 510;
/** Two levels, as src/engine/snapshots/plan-merge.ts has them. */
const MOST_FROZEN = 63 + 63;

describe("frozen layers past what the kernel stacks", {
  skip: busyboxRootUnavailable() ?? false,
}, () => {
  let store: TestStore;
  before(async () => {
    store = await makeStore({ below: "/dev/shm" });
  });
  after(() => store.remove());

  const configOf = async (id: string) => (await inspectContainer(store.engine, id)).config;
  const directories = () => readdirSync(join(store.directory, "root/containers"));

  /** A container whose command tells how many files named f* are in "/": those that `write` has made. */
  async function create(): Promise<ContainerConfig> {
    const command = ["sh", "-c", 'set -- /f*; test "$#" -eq "$(cat /count)"'];
    return createContainer(store.engine, { image: IMAGE, command });
  }

  /** What the container itself would have done: it does not run. */
  function write(config: ContainerConfig, name: string, contents = ""): void {
    writeFileSync(join(currentUpper(store.engine, config)?.dir ?? "", name), contents);
  }

  /** On a real mount of all of it. */
  async function assertShows(config: ContainerConfig, files: number): Promise<void> {
    write(config, "count", `${files}`);
    await startContainer(store.engine, config.id);
    const exit = await waitContainer(store.engine, config.id);
    assert.deepEqual(exit, { kind: "exited", code: 0 }, `${files} files`);
  }

  it(`are ${DEPTH} snapshots of one container, of which the last ones are kept`, async () => {
    const KEPT = 8;
    const { id } = await create();
    for (let depth = 0; depth < DEPTH; depth += 1) {
      write(await configOf(id), `f${depth}`);
      await snapshotContainer(store.engine, id, `s${depth}`);
      if (depth >= KEPT) await removeSnapshot(store.engine, id, `s${depth - KEPT}`);
    }
    const config = await configOf(id);
    assert.ok(layersOf(config).frozen.length <= MOST_FROZEN);
    await assertShows(config, DEPTH);
    await restoreContainer(store.engine, id, `s${DEPTH - KEPT}`);
    await assertShows(await configOf(id), DEPTH - KEPT + 1);
    await removeContainer(store.engine, id);
    assert.deepEqual(directories(), []);
  });

  it(`are ${DEPTH} clones, each of the one before, which is removed`, async () => {
    let last = await create();
    for (let depth = 0; depth < DEPTH; depth += 1) {
      write(last, `f${depth}`);
      const clone = await cloneContainer(store.engine, last.id);
      await removeContainer(store.engine, last.id);
      last = clone;
    }
    assert.ok(layersOf(last).frozen.length <= MOST_FROZEN);
    assert.ok(directories().length <= MOST_FROZEN + 1, "what was merged is gone");
    await assertShows(last, DEPTH);
    assert.deepEqual(await checkSystem(store.engine), []);
    await removeContainer(store.engine, last.id);
    assert.deepEqual(directories(), []);
  });

  it("share their files with the snapshots and clones that were there before they were merged", async () => {
    const { id } = await create();
    await stackFrozenLayers(store.engine, id, 62);
    await snapshotContainer(store.engine, id, "before"); // 63
    const clone = await cloneContainer(store.engine, id);
    write(await configOf(id), "big", "x".repeat(1_000_000));
    await snapshotContainer(store.engine, id, "after");
    const config = await configOf(id);
    const [merged] = layersOf(config).frozen;
    assert.ok(merged && layersOf(config).frozen.length === 1);
    assert.equal(layersOf(await configOf(clone.id)).frozen.length, 63);
    const [first] = layersOf(await configOf(clone.id)).frozen.slice(-1);
    assert.ok(first);
    const at = (layer: typeof first) => join(layerPath(store.engine, layer), fileOf(0));
    assert.equal(readFileSync(at(merged), "utf8"), "0");
    assert.equal(lstatSync(at(merged)).ino, lstatSync(at(first)).ino);
    // Each block of the disk is counted once, and what only snapshots have is what their end would free.
    const { size, reclaimable } = readFrozenUsage(store.engine);
    assert.ok(size >= 1_000_000 && size < 1_600_000, `${size}`);
    assert.equal(reclaimable, 0);
    const [before, last] = await listSnapshots(store.engine, id);
    assert.ok(before && before.size < 700_000, `${before?.size}`);
    assert.ok(last && last.size >= 1_000_000 && last.size < 1_200_000, `${last?.size}`);
    await removeContainer(store.engine, id);
    await removeContainer(store.engine, clone.id);
    assert.deepEqual(directories(), []);
  });

  it("are merged where a container of an earlier version stands on as many as there could be", async () => {
    const { id } = await create();
    await stackFrozenLayers(store.engine, id, 496);
    await snapshotContainer(store.engine, id);
    const config = await configOf(id);
    assert.deepEqual(
      layersOf(config).frozen.map(({ level }) => level),
      [1],
    );
    const names = readdirSync(layerPath(store.engine, layersOf(config).frozen[0] as never));
    assert.equal(names.length, 497);
    await removeContainer(store.engine, id);
  });
});
