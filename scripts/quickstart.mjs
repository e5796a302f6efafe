// @ts-check
/**
 * npm run quickstart: from a fresh Debian 12 with root, Node 20, npm, gcc and make to a running
 * container. This half needs nothing but the machine's own Node; quickstart.ts does the rest with
 * the project's.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installMissing, RUN_PACKAGES } from "./packages.mjs";

const project = join(dirname(fileURLToPath(import.meta.url)), "..");

/** @param {string} line */
function say(line) {
  process.stdout.write(`quickstart: ${line}\n`);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: project, stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${signal ?? status}`);
}

/** npm writes node_modules/.package-lock.json last, when everything is in place. */
function nodeModulesAreCurrent() {
  const installed = join(project, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs >= statSync(join(project, "package-lock.json")).mtimeMs;
}

try {
  installMissing(RUN_PACKAGES, say);
  if (!nodeModulesAreCurrent()) {
    say("npm install");
    // Not `npm ci`: it refuses a lock file that was made from a registry without the optional packages
    // of other platforms. This takes the locked versions as well and writes no file of the project's.
    run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
  }
  run("scripts/node", ["scripts/quickstart.ts"]);
} catch (error) {
  process.stderr.write(`quickstart: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
