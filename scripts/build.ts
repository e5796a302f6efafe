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
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { createBusyboxRoot } from "./busybox-root.ts";
import { buildLatePackages, latePackages } from "./late-packages.ts";
import { nodeBuiltins } from "./node-builtins.ts";

const PROJECT = resolve(import.meta.dirname, "..");
const DIST = join(PROJECT, "dist");
const NEXT = join(PROJECT, `dist.${process.pid}`);
const STAMP = ".sources";
const CODE_CACHE = join(PROJECT, "scripts/code-cache.cjs");
const BUSYBOX = "/bin/busybox";
const INPUTS = [
  "src/**/*.ts",
  "package.json",
  "package-lock.json",
  "tsconfig*.json",
  "scripts/{build,late-packages,node-builtins}.ts",
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
  warmCodeCache();
  warmRuntimeCache();
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
  const plugins = [nodeBuiltins, latePackages(late)];
  await Promise.all([
    build({
      ...SHARED,
      entryPoints: { tsrun: "src/cli/main.ts", "tsrun-oci": "src/oci/main.ts" },
      outExtension: { ".js": ".cjs" },
      format: "cjs",
      define: { "import.meta.dirname": "__dirname", "import.meta.url": "__importMetaUrl" },
      banner: {
        js: 'const __importMetaUrl=process.getBuiltinModule("node:url").pathToFileURL(__filename).href;',
      },
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
  writeFileSync(join(NEXT, "cli.cjs"), entry);
  writeFileSync(join(NEXT, "oci.cjs"), entry.replaceAll("tsrun.cjs", "tsrun-oci.cjs"));
}

/** The cache is of the functions that these commands call; see cli-entry.cjs. */
function warmCodeCache(): void {
  const bundle = join(DIST, "tsrun.cjs");
  const folder = mkdtempSync(join(tmpdir(), "tsrun-build-"));
  const root = join(folder, "rootfs");
  const own = ["--root", join(folder, "store"), "--run-root", join(folder, "run")];
  try {
    mkdirSync(root);
    const commands = [
      [...own, "version"],
      [...own, "ps"],
      [...own, "plan", "--rootfs", root, "true"],
    ];
    for (const args of commands) check([process.execPath, CODE_CACHE, bundle, ...args]);
    if (process.getuid?.() === 0 && existsSync(BUSYBOX)) {
      createBusyboxRoot({ busybox: BUSYBOX, folder: root });
      const run = [...own, "run", "--rm", "--network", "none", "--rootfs", root, "true"];
      // On a host where no container can run, what it called until then is worth keeping as well.
      spawnSync(process.execPath, [CODE_CACHE, bundle, ...run], {
        stdio: "ignore",
        timeout: 20_000,
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same for tsrun-oci: a container's whole life, as an engine leads it. */
function warmRuntimeCache(): void {
  const bundle = join(DIST, "tsrun-oci.cjs");
  const folder = mkdtempSync(join(tmpdir(), "tsrun-build-"));
  const id = `build-${process.pid}`;
  const call = (...args: readonly string[]) =>
    spawnSync(process.execPath, [CODE_CACHE, bundle, "--root", join(folder, "run"), ...args], {
      cwd: folder,
      stdio: "ignore",
      timeout: 20_000,
    }).status === 0;
  try {
    call("list");
    if (process.getuid?.() !== 0 || !existsSync(BUSYBOX)) return;
    mkdirSync(join(folder, "rootfs"));
    createBusyboxRoot({ busybox: BUSYBOX, folder: join(folder, "rootfs") });
    call("spec");
    const file = join(folder, "config.json");
    const spec = JSON.parse(readFileSync(file, "utf8"));
    Object.assign(spec.process, { terminal: false, args: ["sleep", "60"] });
    writeFileSync(file, JSON.stringify(spec));
    // On a host where no container can run, what was called until then is worth keeping as well.
    const operands = new Map([
      ["exec", ["true"]],
      ["kill", ["KILL"]],
    ]);
    const life = ["create", "start", "state", "exec", "kill"];
    life.every((command) => call(command, id, ...(operands.get(command) ?? [])));
  } finally {
    call("delete", "--force", id);
    rmSync(folder, { recursive: true, force: true });
  }
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
