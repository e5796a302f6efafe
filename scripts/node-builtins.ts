/**
 * How the bundle gets at Node's own modules: by process.getBuiltinModule and name by name.
 *
 * `import … from "node:util"` in an ES module makes Node read every property of the module, and with
 * node:process and node:util that opens stdin, stdout and stderr and loads what hides behind getters:
 * 5 to 12 ms before the first line of a command runs.
 */
import type { Plugin } from "esbuild";

const NAMESPACE = "node-builtin";

/** Loaded on the first use of a property: nearly no command needs it, but commander imports it. */
const LAZY = new Set(["node:child_process"]);

export const nodeBuiltins: Plugin = {
  name: NAMESPACE,
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "require-call" ? undefined : { path, namespace: NAMESPACE, sideEffects: false },
    );
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: builtinModule(path),
      loader: "js",
    }));
  },
};

/** Exports that nobody imports are dropped, and with them the property that would have been read. */
function builtinModule(path: string): string {
  const builtin = process.getBuiltinModule(path) as object | undefined;
  if (builtin === undefined) throw new Error(`Node has no module "${path}"`);
  const names = Object.keys(builtin).filter((name) => /^[a-zA-Z_$][\w$]*$/.test(name));
  const whole = `process.getBuiltinModule(${JSON.stringify(path)})`;
  const byDefault = LAZY.has(path)
    ? "new Proxy({}, { get: (_, name) => get(name) })"
    : `/* @__PURE__ */ ${whole}`;
  return [
    `const get = /* @__PURE__ */ (() => { let module; return (name) => (module ??= ${whole})[name]; })();`,
    `export default ${byDefault};`,
    ...names
      .filter((name) => name !== "default")
      .map(
        (name) =>
          `const $${name} = /* @__PURE__ */ get("${name}"); export { $${name} as ${name} };`,
      ),
  ].join("\n");
}
