/**
 * Layers that many containers share: at once, in great depth, and beside a record that is damaged.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  checkSystem,
  cloneContainer,
  copyToContainer,
  createContainer,
  inspectContainer,
  removeContainer,
  restoreContainer,
  snapshotContainer,
  startContainer,
  waitContainer,
} from "../../../src/engine/index.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

describe("frozen layers", { skip: busyboxRootUnavailable() ?? false }, () => {
  let store: TestStore;
  before(async () => {
    store = await makeStore();
  });
  after(() => store.remove());

  /** A container with this file in it. */
  async function withFile(name: string): Promise<string> {
    const { id } = await createContainer(store.engine, { image: IMAGE, command: ["true"] });
    await write(id, name);
    return id;
  }

  async function write(id: string, name: string): Promise<void> {
    const source = join(store.directory, name);
    writeFileSync(source, name);
    await copyToContainer(store.engine, id, { source, path: `/${name}` });
  }

  const directories = () => readdirSync(join(store.directory, "root/containers"));

  it("are stacked as deep as the kernel goes, past one page of mount options", async () => {
    const id = await withFile("f0");
    for (let depth = 1; depth <= 60; depth += 1) {
      await snapshotContainer(store.engine, id);
      await write(id, `f${depth}`);
    }
    const clone = await cloneContainer(store.engine, id);
    assert.equal(clone.layers?.frozen.length, 61);
    await removeContainer(store.engine, id);
    const lower = clone.layers?.frozen ?? [];
    assert.equal(new Set(lower.map(({ number }) => number)).size, 61);
    await startContainer(store.engine, clone.id);
    assert.deepEqual(await waitContainer(store.engine, clone.id), { kind: "exited", code: 0 });
    await removeContainer(store.engine, clone.id);
    assert.deepEqual(directories(), []);
  });

  it("outlive and follow their containers when all is done at once", async () => {
    const id = await withFile("shared");
    const clones = await Promise.all(
      Array.from({ length: 8 }, () => cloneContainer(store.engine, id)),
    );
    await Promise.all([
      removeContainer(store.engine, id),
      ...clones.slice(0, 4).map(({ id: clone }) => removeContainer(store.engine, clone)),
      ...clones.slice(4).map(({ id: clone }) => cloneContainer(store.engine, clone)),
    ]);
    assert.deepEqual(await checkSystem(store.engine), []);
    const left = directories().filter((name) => name !== id);
    for (const clone of left) {
      const { config } = await inspectContainer(store.engine, clone);
      const [frozen] = config.layers?.frozen ?? [];
      assert.ok(frozen);
      const path = join(store.directory, "root/containers", frozen.container, "upper/shared");
      assert.equal(readFileSync(path, "utf8"), "shared");
    }
    assert.equal(left.length, 8);
    await Promise.all(left.map((clone) => removeContainer(store.engine, clone)));
    assert.deepEqual(directories(), []);
  });

  it("stay as long as a record is damaged: what it needs is not known", async () => {
    const id = await withFile("one");
    const other = await withFile("other");
    await snapshotContainer(store.engine, id, "s");
    await write(id, "two");
    await snapshotContainer(store.engine, id, "t");
    const record = join(store.directory, "root/containers", other, "config.json");
    const sound = readFileSync(record);
    writeFileSync(record, "{");
    await restoreContainer(store.engine, id, "s");
    await removeContainer(store.engine, id);
    assert.match(store.warnings.at(-1) ?? "", /may stay for now: the record .* is damaged/);
    assert.ok(directories().includes(id));
    writeFileSync(record, sound);
    await checkSystem(store.engine, { repair: true });
    assert.deepEqual(directories(), [other]);
    await removeContainer(store.engine, other);
  });
});
