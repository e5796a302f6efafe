"use strict";
/**
 * dist/cli.cjs: runs the bundle tsrun.cjs with what V8 compiled of it when it was built. Node's own
 * compile cache keeps only what is compiled before the first call; this one has the functions too,
 * which saves a third of a command's own time. A frequent command has a cache of what it calls and no
 * more. Where V8 does not take it (another Node, other flags), the bundle is compiled as any file is.
 */
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const file = `${__dirname}/tsrun.cjs`;
const [before, after] = ["(function (exports, require, module, __filename, __dirname) {", "\n})"];
// The bundle is ASCII.
const script = new Script(before + readFileSync(file, "latin1") + after, {
  filename: file,
  cachedData: readCache(),
});
script.runInThisContext()(exports, require, module, file, __dirname);

/** A word that only looks like the command costs the time to compile, and no more. */
function readCache() {
  const frequent = "@COMMANDS@".split(" ");
  const command = process.argv.find((word, index) => index > 1 && frequent.includes(word));
  try {
    return readFileSync(`${__dirname}/tsrun${command === undefined ? "" : `.${command}`}.cache`);
  } catch (error) {
    if (error.code === "ENOENT") return undefined; // the build makes it last
    throw error;
  }
}
