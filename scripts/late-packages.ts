/**
 * Packages that few commands use, each in a file of its own beside the bundle, loaded when something of
 * it is used: what lies in the bundle is read and checked by V8 at every start, used or not.
 */
import { createRequire } from "node:module";
import { type BuildOptions, build, type Plugin } from "esbuild";

/** execa also opens stdin, stdout and stderr as it is loaded: a process that inherits them found them non-blocking. */
const LATE = ["dbus-native", "execa", "tar-stream", "undici"];
const NAMESPACE = "late-package";
const require = createRequire(import.meta.url);

/** `used` is filled with the packages for which files are then to be made: buildLatePackages. */
export function latePackages(used: Set<string>): Plugin {
  return {
    name: NAMESPACE,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^(${LATE.join("|")})$`) }, ({ path }) => {
        used.add(path);
        return { path, namespace: NAMESPACE, sideEffects: false };
      });
      onResolve({ filter: /^\.\//, namespace: NAMESPACE }, ({ path }) => ({
        path,
        external: true,
      }));
      onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
        contents: lateExports(path),
        loader: "js",
      }));
    },
  };
}

/** A CommonJS module: of such a one esbuild reads the property at each use, not at the import. */
function lateExports(name: string): string {
  const names = Object.keys(require(name) as object).filter((key) =>
    /^[a-zA-Z_$][\w$]*$/.test(key),
  );
  const getters = names.map((key) => `get ${key}() { return load().${key}; }`);
  return `
    let module_;
    const load = () => (module_ ??= require("./${name}.cjs"));
    module.exports = { ${getters.join(", ")} };`;
}

export async function buildLatePackages(
  used: ReadonlySet<string>,
  options: BuildOptions,
): Promise<void> {
  const entryPoints = [...used].map((name) => ({ in: name, out: name }));
  if (entryPoints.length === 0) return;
  await build({ ...options, entryPoints, format: "cjs", outExtension: { ".js": ".cjs" } });
}
