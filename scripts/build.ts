/**
 * npm run build: src/ becomes dist/ and native/ becomes native/build/tsrun-stage.
 *
 * One file for each command line and one for the library; declarations by tsc; the man page and the
 * completions from the command table; and what V8 makes of the command line, kept for its next start.
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
import { type BuildOptions, build } from "esbuild";
import { directImports } from "./direct-imports.ts";
import { buildLatePackages, latePackages } from "./late-packages.ts";
import { buildLazily } from "./lazy-bundle.ts";
import { nodeBuiltins } from "./node-builtins.ts";
import { CLI_COMMANDS, OCI_COMMANDS, warmCaches } from "./warm-caches.ts";

const PROJECT = resolve(import.meta.dirname, "..");
const DIST = join(PROJECT, "dist");
const NEXT = join(PROJECT, `dist.${process.pid}`);
const STAMP = ".sources";
const INPUTS = [
  "src/**/*.ts",
  "package.json",
  "package-lock.json",
  "tsconfig*.json",
  "scripts/{build,direct-imports,late-packages,lazy-bundle,node-builtins,warm-caches}.ts",
  "scripts/{cli-entry,code-cache}.cjs",
];

const SHARED: BuildOptions = {
  absWorkingDir: PROJECT,
  outdir: NEXT,
  bundle: true,
  platform: "node",
  target: "node22",
  // Names stay: a bug's stack trace tells them. White space costs start-up time.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "none",
  logLevel: "warning",
};

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
  try {
    await Promise.all([native, bundle(), declarations()]);
  } catch (error) {
    rmSync(NEXT, { recursive: true, force: true });
    throw error;
  }
  copyEntries();
  rmSync(DIST, { recursive: true, force: true });
  renameSync(NEXT, DIST);
  generatePages();
  warmCaches(DIST);
  writeFileSync(join(DIST, STAMP), sources);
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

/**
 * The library is an ES module. The command line is one CommonJS file: a command's modules are
 * evaluated when it is typed, and Node's loader for ES modules alone would cost 10 ms more.
 */
async function bundle(): Promise<void> {
  const late = new Set<string>();
  const plugins = [directImports, nodeBuiltins, latePackages(late)];
  await Promise.all([
    buildLazily("tsrun", "src/cli/main.ts", { ...SHARED, plugins }),
    buildLazily("tsrun-oci", "src/oci/main.ts", { ...SHARED, plugins }),
    // A thread's module, for the command lines and the library.
    build({
      ...SHARED,
      entryPoints: { "unpack-worker": "src/images/unpack-worker.ts" },
      outExtension: { ".js": ".cjs" },
      format: "cjs",
      define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
      plugins,
    }),
    build({
      ...SHARED,
      entryPoints: { index: "src/index.ts" },
      format: "esm",
      // Bundled CommonJS packages (tar-stream) ask for Node's own modules by require().
      banner: {
        js: 'const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);',
      },
      plugins,
    }),
  ]);
  await buildLatePackages(late, SHARED);
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

/** Both command lines begin in the same way. */
function copyEntries(): void {
  const entry = readFileSync(join(PROJECT, "scripts/cli-entry.cjs"), "utf8");
  const withCommands = (text: string, commands: readonly string[]) =>
    text.replace("@COMMANDS@", commands.join(" "));
  writeFileSync(join(NEXT, "cli.cjs"), withCommands(entry, CLI_COMMANDS));
  const runtime = entry.replaceAll("/tsrun", "/tsrun-oci");
  writeFileSync(join(NEXT, "oci.cjs"), withCommands(runtime, OCI_COMMANDS));
}

function tsrun(args: readonly string[]): string {
  return check([join(PROJECT, "bin/tsrun"), ...args]);
}

function check([command = "", ...args]: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: PROJECT,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}
