/**
 * A command line as one CommonJS file, of which a start evaluates what its command needs.
 *
 * esbuild lifts the functions of all modules to the top of a bundle, and V8 makes an object of each at
 * every start: thousands for a command that calls fifty. So the modules are split into chunks first, by
 * the `import()`s that reach them, and each chunk is wrapped: one that nobody asks for stays text.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuildOptions, build, transform } from "esbuild";

/** `source` becomes OUTDIR/NAME.cjs. */
export async function buildLazily(
  name: string,
  source: string,
  { plugins, ...options }: BuildOptions,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-chunks-"));
  try {
    await build({
      ...options,
      entryPoints: { main: source },
      outdir: folder,
      format: "esm",
      splitting: true,
      sourcemap: options.sourcemap ? "inline" : false,
      define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
      ...(plugins ? { plugins } : {}),
    });
    await Promise.all(readdirSync(folder).map((file) => wrap(join(folder, file), options)));
    await build({
      ...options,
      entryPoints: { [name]: join(folder, "main.js") },
      outExtension: { ".js": ".cjs" },
      format: "cjs",
      external: ["./*.cjs"],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A CommonJS module is what esbuild's bundle evaluates when it is first asked for. */
async function wrap(file: string, options: BuildOptions): Promise<void> {
  const { code } = await transform(readFileSync(file, "utf8"), {
    format: "cjs",
    platform: "node",
    sourcemap: "inline",
    sourcefile: file,
    minifySyntax: options.minifySyntax ?? false,
    minifyWhitespace: options.minifyWhitespace ?? false,
    target: options.target ?? "esnext",
  });
  writeFileSync(file, code);
}
