/** Images of containers by the library: what they changed, as a layer, an archive and a list. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { create, images, run } from "../../../src/index.ts";
import { gnuList } from "../../support/gnu-tar.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

let store: TestStore;
before(async () => {
  store = await makeStore();
});
after(() => store.remove());

describe("a container's changes", () => {
  it("become an image, an archive and a list", async () => {
    const command = ["sh", "-c", "echo new > /etc/new; rm /bin/ash"];
    await using container = await create({ ...store.store, image: IMAGE, command });
    await container.start();
    await container.wait();
    assert.deepEqual(
      (await container.diff()).map(({ kind, path }) => `${kind} ${path}`),
      ["changed /bin", "deleted /bin/ash", "changed /etc", "added /etc/new"],
    );
    const image = await container.commit("made:1", {
      message: "by program",
      changes: ['CMD ["cat", "/etc/new"]', "ENV A=1"],
    });
    assert.deepEqual(image.names, ["made:1"]);
    assert.equal(
      images.inspect("made:1", store.store).config.history?.at(-1)?.comment,
      "by program",
    );
    const { stdout } = await run({ ...store.store, image: "made:1", command: [] });
    assert.equal(stdout, "new\n");
    const chunks: Uint8Array[] = [];
    const output = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        chunks.push(chunk);
        done();
      },
    });
    await container.export(output);
    assert.equal(output.writableEnded, false);
    const names = gnuList(Buffer.concat(chunks)).map((line) => line.split(" ").at(-1));
    assert.ok(names.includes("etc/new") && !names.includes("bin/ash"));
    const aborted = container.commit("never:1", { signal: AbortSignal.abort() });
    await assert.rejects(aborted, { code: "ABORTED" });
    await assert.rejects(container.commit("x", { changes: ["RUN x"] }), {
      code: "INVALID_ARGUMENT",
    });
  });
});
