import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";

const PROJECT = resolve(import.meta.dirname, "../..");

/** What `npm install tsrun` gives somebody: the packed files in a node_modules beside the dependencies. */
describe("the npm package", () => {
  let user: string;
  let installed: string;

  before(() => {
    user = mkdtempSync(join(tmpdir(), "tsrun-package-"));
    const modules = join(user, "node_modules");
    mkdirSync(modules);
    run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", user], PROJECT);
    const tarball = readdirSync(user).find((name) => name.endsWith(".tgz"));
    assert.ok(tarball, "npm pack made no archive");
    run("tar", ["xzf", join(user, tarball)], user);
    installed = join(modules, "tsrun");
    run("mv", [join(user, "package"), installed], user);
    for (const name of readdirSync(join(PROJECT, "node_modules"))) {
      if (!name.startsWith("."))
        symlinkSync(join(PROJECT, "node_modules", name), join(modules, name));
    }
    writeFileSync(join(user, "package.json"), '{ "type": "module" }');
  });
  after(() => rmSync(user, { recursive: true, force: true }));

  it("holds what is run and read, and no sources or tests", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    for (const needed of [
      "bin/tsrun",
      "dist/cli.cjs",
      "dist/index.js",
      "dist/types/index.d.ts",
      "dist/man/tsrun.1",
      "native/build/tsrun-oci-fast",
      "native/build/tsrun-stage",
      "LICENSE",
      "README.md",
    ]) {
      assert.ok(files.includes(needed), `${needed} is missing`);
    }
    const unwanted = files.filter((file) => /^(src|test|scripts|bench|\.)|\.test\./.test(file));
    assert.deepEqual(unwanted, []);
  });

  it("runs its command", () => {
    const version = run(join(installed, "bin/tsrun"), ["version"], user);
    assert.match(version, /\d+\.\d+\.\d+/);
  });

  it("is imported by its name", () => {
    const script =
      'import { run, TsrunError } from "tsrun"; console.log(typeof run, TsrunError.name);';
    assert.equal(
      run(process.execPath, ["--input-type=module", "-e", script], user),
      "function TsrunError\n",
    );
  });

  it("brings types that hold: a right use compiles, a wrong one does not", () => {
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"];
    const compile = (name: string, text: string) => {
      writeFileSync(join(user, name), text);
      const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
      return spawnSync(
        process.execPath,
        [tsc, ...options, "--types", "node", "--lib", "es2024,esnext.disposable", name],
        {
          cwd: user,
          encoding: "utf8",
        },
      ).stdout;
    };
    const right =
      'import { run } from "tsrun";\nexport const use = () => run({ image: "busybox" });\n';
    assert.equal(compile("right.ts", right), "");
    const wrong = right.replace('"busybox"', "5");
    assert.match(compile("wrong.ts", wrong), /wrong\.ts\(2,\d+\): error TS2322/);
  });
});

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (error !== undefined) throw error;
  assert.equal(status, 0, `${basename(command)} ${args.join(" ")}: ${stderr}`);
  return stdout;
}
