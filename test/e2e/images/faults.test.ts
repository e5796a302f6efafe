/**
 * kill -9 at every step of what changes the store. Afterwards the store must be sound as it is, the
 * same command must get through, and a check with repair must find nothing more.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { makeContext } from "../../support/build-context.ts";
import { Cli } from "../../support/cli.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";

/** More steps than any command has: one that is still killed here goes round in circles. */
const MAX_STEPS = 150;
const SOUND = "Nothing is left behind.";

let registry: FakeRegistry;
let archive: string;
let tree: string;
let context: string;
let files: Cli;

before(async () => {
  [registry, files] = await Promise.all([FakeRegistry.open(), Cli.open()]);
  await registry.publish("app:1", [
    [
      { name: "base/", type: "directory", mode: 0o750 },
      { name: "one", body: "1" },
    ],
    [{ name: "base/two", body: "2" }],
    [{ name: "three", body: "3".repeat(100_000) }],
  ]);
  await registry.publish("app:2", [[{ name: "one", body: "1" }], [{ name: "four", body: "4" }]]);
  tree = files.file("tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "file"), "contents");
  context = makeContext(files, "FROM scratch\nCOPY file /in/file\nENV A=1\n", { file: "text" });
  archive = files.file("archive.tar");
  await files.ok("save", "-o", archive, "busybox");
});
after(async () => {
  await files[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

interface Scenario {
  readonly given?: readonly (readonly string[])[];
  readonly command: readonly string[];
}

function scenarios(): Readonly<Record<string, Scenario>> {
  const name = (tag: number) => `${registry.host}/app:${tag}`;
  const pull = (tag: number) => ["pull", "-q", "--tls-verify=false", name(tag)];
  return {
    pull: { command: pull(1) },
    "pull over another version": {
      given: [pull(1), ["tag", name(1), name(2)]],
      command: pull(2),
    },
    import: { command: ["image", "import", "-q", tree, "imported"] },
    commit: {
      given: [
        ["image", "import", "-q", tree, "imported"],
        ["create", "--name", "changed", "imported", "/file"],
        ["cp", archive, "changed:/added"],
      ],
      command: ["commit", "-q", "changed", "committed"],
    },
    build: { command: ["build", "-q", "-t", "built", context] },
    load: { command: ["load", "-q", "-i", archive] },
    rm: { given: [pull(1), pull(2)], command: ["image", "rm", "-f", name(1)] },
    prune: { given: [pull(1), pull(2)], command: ["image", "prune", "--all"] },
  };
}

/** What a store that was only killed may hold besides what is whole: halves that no lock protects. */
function assertNothingBusy(store: string): void {
  const tmp = join(store, "tmp");
  assert.deepEqual(readdirSync(tmp), [], "work that nobody is at");
}

async function strike({ given = [], command }: Scenario, step: number): Promise<boolean> {
  await using cli = await Cli.open({ image: false });
  for (const args of given) await cli.ok(...args);
  const fault = { env: { TSRUN_FAULT: `step:${step}` } };
  const { signal, status, stderr } = await cli.run(command, fault);
  const store = join(cli.base, "root", "images");
  const looked = await cli.run(["system", "check", "--images"]);
  // What is in the index is whole, whatever lies about besides.
  assert.doesNotMatch(looked.stdout, /damaged|missing|changed|contents/, `step ${step}`);
  if (signal === "SIGKILL") {
    const again = await cli.run(command);
    assert.equal(again.status, 0, `step ${step}: ${again.stderr}`);
  } else {
    assert.equal(status, 0, `step ${step}: ${stderr}`);
  }
  await cli.ok("image", "prune");
  assert.equal(await cli.ok("system", "check", "--images", "--repair"), SOUND);
  assertNothingBusy(store);
  return signal === "SIGKILL";
}

describe("kill -9 at every step of", () => {
  for (const name of [
    "pull",
    "pull over another version",
    "import",
    "commit",
    "build",
    "load",
    "rm",
    "prune",
  ]) {
    it(name, async (t) => {
      const scenario = scenarios()[name];
      assert.ok(scenario);
      let step = 1;
      while (await strike(scenario, step)) {
        step += 1;
        assert.ok(step < MAX_STEPS, "the command never gets through");
      }
      assert.ok(step > 1, "the command has no step at all");
      t.diagnostic(`${step - 1} steps`);
    });
  }
});
