"use strict";
/**
 * node code-cache.cjs BUNDLE CACHE ARGUMENT…: runs the command line as cli-entry.cjs does, and at its
 * end keeps in CACHE what V8 has compiled until then, beside what was in it before.
 */
const { existsSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname } = require("node:path");
const { Script } = require("node:vm");

const [file, cache, ...words] = process.argv.slice(2);
const [before, after] = ["(function (exports, require, module, __filename, __dirname) {", "\n})"];
const script = new Script(before + readFileSync(file, "latin1") + after, {
  filename: file,
  cachedData: existsSync(cache) ? readFileSync(cache) : undefined,
});
process.on("exit", () => {
  writeFileSync(`${cache}.new`, script.createCachedData());
  renameSync(`${cache}.new`, cache);
});
process.argv.splice(1, process.argv.length, `${dirname(file)}/cli.cjs`, ...words);
script.runInThisContext()({}, createRequire(file), { exports: {} }, file, dirname(file));
