/** Images, from a registry to a container and back, as a program has them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create, images, run, TsrunError } from "../../../src/index.ts";
import { DockerRegistry, dockerRegistryUnavailable } from "../../support/docker-registry.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

const unavailable = busyboxRootUnavailable() ?? dockerRegistryUnavailable();

describe("images", { skip: unavailable ?? false }, () => {
  let test: TestStore;
  let registry: DockerRegistry;
  before(async () => {
    [test, registry] = await Promise.all([makeStore(), DockerRegistry.open()]);
  });
  after(async () => {
    test.remove();
    await registry[Symbol.asyncDispose]();
  });

  const notFound = (error: unknown) => error instanceof TsrunError && error.code === "NOT_FOUND";
  const command = ["echo", "pulled"];

  it("are pushed, removed, and pulled by who wants to run them", async () => {
    const { store } = test;
    const name = `${registry.host}/team/app:1`;
    const access = { insecure: true };
    const { id } = images.inspect(IMAGE, store);
    await images.push(IMAGE, name, { ...store, ...access });
    await assert.rejects(run({ ...store, image: name, command }), notFound);
    const pull = { policy: "missing", ...access } as const;
    assert.equal((await run({ ...store, image: name, command, pull })).stdout, "pulled\n");
    assert.equal(images.inspect(name, store).id, id);
    await images.remove(name, store);
    await using container = await create({ ...store, image: name, command, pull });
    await container.start();
    assert.equal((await container.wait()).status, 0);
  });

  it("have versions that a name can go back to", async () => {
    const { store } = test;
    await images.tag(IMAGE, "moving:1", store);
    const first = images.inspect("moving:1", store).id;
    const [now] = images.versions("moving:1", store);
    assert.equal(now?.version, 1);
    assert.ok(images.list(store).some(({ id, names }) => id === first && names.length > 1));
    await assert.rejects(async () => images.inspect("nothing:1", store), notFound);
  });
});
