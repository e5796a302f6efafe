import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { Cli, runProgram } from "../support/cli.ts";
import { busyboxRootUnavailable } from "../support/roots.ts";

const PROJECT = resolve(import.meta.dirname, "../..");
const COMPILER_OPTIONS = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"];

/** The program in README.md, in a folder where tsrun is installed. */
describe("the README's program", { skip: busyboxRootUnavailable() ?? false }, () => {
  it("compiles and does what it says", async () => {
    await using cli = await Cli.open();
    const program = cli.file("readme.ts");
    writeFileSync(program, readmeProgram());
    writeFileSync(cli.file("package.json"), '{ "type": "module" }');
    mkdirSync(cli.file("node_modules"));
    symlinkSync(PROJECT, cli.file("node_modules/tsrun"));
    symlinkSync(join(PROJECT, "node_modules/@types"), cli.file("node_modules/@types"));

    const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
    const options = [...COMPILER_OPTIONS, "--lib", "es2024,esnext.disposable", "--types", "node"];
    const compiled = await runProgram(process.execPath, [tsc, ...options, program], {
      cwd: cli.file(""),
    });
    assert.equal(compiled.stdout, "");

    const { status, stdout, stderr } = await runProgram(process.execPath, [program], {
      env: cli.env,
    });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.equal(stdout, "0 hello\nstdout tick 1\nstdout tick 2\nstdout tick 3\n");
    assert.equal(await cli.ok("ps", "--all", "--quiet"), "");
  });
});

function readmeProgram(): string {
  const [program, ...more] = [
    ...readFileSync(join(PROJECT, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms),
  ].map(([, text]) => text ?? "");
  assert.equal(more.length, 0, "a program that no test runs");
  return program ?? assert.fail("README.md shows no program");
}
