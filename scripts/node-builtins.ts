/**
 * How the bundles get at Node's own modules: by process.getBuiltinModule, name by name, and those that
 * Node has not loaded before its first line of JavaScript only when something of theirs is used.
 *
 * `import … from "node:util"` makes Node read every property of the module, and with node:process and
 * node:util that opens stdin, stdout and stderr and loads what hides behind getters: 5 to 12 ms before
 * the first line of a command runs. node:crypto takes 4 ms, and most commands never call it.
 */
import type { Plugin } from "esbuild";

const NAMESPACE = "node-builtin";

/** In memory before any of ours: to be late with them gains nothing. */
const LOADED_BY_NODE = new Set([
  "node:buffer",
  "node:events",
  "node:fs",
  "node:module",
  "node:path",
  "node:path/posix",
  "node:process",
  "node:timers",
  "node:url",
  "node:util",
]);

export const nodeBuiltins: Plugin = {
  name: NAMESPACE,
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "require-call" ? undefined : { path, namespace: NAMESPACE, sideEffects: false },
    );
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: LOADED_BY_NODE.has(path) ? namedExports(path) : lateExports(path),
      loader: "js",
    }));
  },
};

/** An ES module. Exports that nobody imports are dropped, and with them the property that would be read. */
function namedExports(path: string): string {
  const exports = namesOf(path).map(
    (name) => `const $${name} = /* @__PURE__ */ get("${name}"); export { $${name} as ${name} };`,
  );
  return [
    `const get = /* @__PURE__ */ (() => { const module = ${whole(path)}; return (name) => module[name]; })();`,
    `export default /* @__PURE__ */ ${whole(path)};`,
    ...exports,
  ].join("\n");
}

/** A CommonJS module: of such a one esbuild reads the property at each use, not at the import. */
function lateExports(path: string): string {
  const getters = namesOf(path).map((name) => `get ${name}() { return load().${name}; }`);
  return `
    let module_;
    const load = () => (module_ ??= ${whole(path)});
    module.exports = { ${getters.join(", ")} };`;
}

function whole(path: string): string {
  return `process.getBuiltinModule(${JSON.stringify(path)})`;
}

function namesOf(path: string): string[] {
  const builtin = process.getBuiltinModule(path) as object | undefined;
  if (builtin === undefined) throw new Error(`Node has no module "${path}"`);
  const names = Object.keys(builtin);
  return names.filter((name) => name !== "default" && /^[a-zA-Z_$][\w$]*$/.test(name));
}
