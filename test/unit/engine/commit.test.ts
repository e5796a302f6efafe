import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composeImageConfig } from "../../../src/engine/commit.ts";

const IMAGE = {
  Entrypoint: ["/init"],
  Cmd: ["-v"],
  Env: ["PATH=/bin", "A=0"],
  User: "app",
  Volumes: { "/data": {} },
};

describe("the configuration of a committed container's image", () => {
  it("is that of its image where nothing was asked for", () => {
    assert.deepEqual(composeImageConfig({ request: { image: "x", labels: {} } }, IMAGE), IMAGE);
  });

  it("has what was asked for when the container was made", () => {
    const request = {
      image: "x",
      command: ["-q"],
      env: { A: "1", B: "2" },
      user: "root",
      workdir: "/w",
      stopSignal: "SIGINT",
      labels: { l: "1" },
    };
    assert.deepEqual(composeImageConfig({ request }, IMAGE), {
      ...IMAGE,
      Cmd: ["-q"],
      Env: ["PATH=/bin", "A=1", "B=2"],
      User: "root",
      WorkingDir: "/w",
      StopSignal: "SIGINT",
      Labels: { l: "1" },
    });
  });

  it("does not give the image's arguments to another entrypoint", () => {
    const { Entrypoint, Cmd } = composeImageConfig({ request: { entrypoint: ["sh"] } }, IMAGE);
    assert.deepEqual([Entrypoint, Cmd], [["sh"], undefined]);
    assert.equal(composeImageConfig({ request: { entrypoint: [] } }, IMAGE).Entrypoint, undefined);
  });
});
