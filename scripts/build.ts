/**
 * npm run build: src/ becomes dist/ and native/ becomes native/build/tsrun-stage.
 *
 * One ES module per CLI command and per shared part (esbuild's splitting), so that a command loads
 * only what it needs; declarations by tsc; the man page and the completions from the command table.
 * dist/ is made beside the old one and swapped in, and left alone when its sources did not change.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { nodeBuiltins } from "./node-builtins.ts";

const PROJECT = resolve(import.meta.dirname, "..");
const DIST = join(PROJECT, "dist");
const NEXT = join(PROJECT, "dist.next");
const STAMP = ".sources";
const INPUTS = [
  "src/**/*.ts",
  "package.json",
  "package-lock.json",
  "tsconfig*.json",
  "scripts/build.ts",
  "scripts/node-builtins.ts",
];

const force = process.argv.includes("--force");
const started = performance.now();
const native = run("make", ["-s", "-C", "native"]);
const sources = digest();
const current =
  existsSync(join(DIST, STAMP)) && readFileSync(join(DIST, STAMP), "utf8") === sources;
if (current && !force) {
  await native;
  say("dist/ is up to date");
} else {
  rmSync(NEXT, { recursive: true, force: true });
  await Promise.all([native, bundle(), declarations()]);
  writeFileSync(join(NEXT, STAMP), sources);
  rmSync(DIST, { recursive: true, force: true });
  renameSync(NEXT, DIST);
  generatePages();
  warmCompileCache();
  say(`built dist/ and native/build/ in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function digest(): string {
  const hash = createHash("sha256").update(process.version);
  for (const path of globSync(INPUTS, { cwd: PROJECT }).sort()) {
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(PROJECT, path)))
      .update("\0");
  }
  return hash.digest("hex");
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: PROJECT, stdio: "inherit" });
    child.on("error", failed);
    child.on("close", (status, signal) => {
      if (status === 0) done();
      else failed(new Error(`${command} ${args.join(" ")} ended with ${signal ?? status}`));
    });
  });
}

async function bundle(): Promise<void> {
  await build({
    absWorkingDir: PROJECT,
    entryPoints: { cli: "src/cli/main.ts", index: "src/index.ts" },
    outdir: NEXT,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    // The library's users and the stack traces of bugs see the real names; whitespace costs start-up time.
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: false,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    plugins: [nodeBuiltins],
    banner: {
      // Bundled CommonJS packages (tar-stream) ask for Node's own modules by require().
      js: 'const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
}

async function declarations(): Promise<void> {
  await run(process.execPath, [
    "node_modules/typescript/bin/tsc",
    "-p",
    "tsconfig.json",
    "--emitDeclarationOnly",
    "--noCheck", // types are `npm run check`'s business
    "--outDir",
    join(NEXT, "types"),
  ]);
}

/** The man page and the completions, as `tsrun` itself writes them from its command table. */
function generatePages(): void {
  mkdirSync(join(DIST, "man"), { recursive: true });
  mkdirSync(join(DIST, "completion"), { recursive: true });
  writeFileSync(join(DIST, "man/tsrun.1"), tsrun(["completion", "--man"]));
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(join(DIST, "completion", shell), tsrun(["completion", shell]));
  }
}

/** Node keeps what it compiled below dist/.cache: the first run of the user's is as fast as the second. */
function warmCompileCache(): void {
  mkdirSync(join(DIST, ".cache"));
  for (const args of [["version"], ["--help"], ["run", "--help"]]) tsrun(args);
}

function tsrun(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(join(PROJECT, "bin/tsrun"), args, {
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`tsrun ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}
