/**
 * What a file takes from a folder's index.ts it takes from the file that has it. The index is the folder's
 * door for whoever reads or changes the source; esbuild takes it for a use of all that is behind it, and
 * `tsrun-oci delete` would evaluate seccomp's compiler.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild";

/** As Biome formats them: `import {` or `export {`, perhaps `type`; the names; the file. */
const FROM_INDEX = /^(import|export) (type )?\{([^}]*)\} from "(\.[^"]*\/index\.ts)";$/gm;
const REEXPORT = /^export (type )?\{([^}]*)\} from "(\.[^"]*)";$/gm;

interface Name {
  /** As the file that is asked calls it. */
  readonly name: string;
  /** As whoever asks calls it. */
  readonly alias: string;
}

export const directImports: Plugin = {
  name: "direct-imports",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(FROM_INDEX, (whole, verb, type, names, index) =>
        type ? whole : fromTheirFiles(verb, names, { folder: dirname(path), index }),
      ),
      loader: "ts",
    }));
  },
};

function fromTheirFiles(
  verb: string,
  names: string,
  { folder, index }: { readonly folder: string; readonly index: string },
): string {
  const statements = values(names).map(({ name, alias }) => {
    const defined = definition(join(folder, index), name);
    const path = relative(folder, defined.file);
    const from = path.startsWith(".") ? path : `./${path}`;
    return `${verb} { ${defined.name} as ${alias} } from "${from}";`;
  });
  // As many lines as there were: a source map counts them.
  return statements.join(" ") + names.replace(/[^\n]/g, "");
}

/** Through as many indexes as there are; what an index has itself is there. */
function definition(index: string, wanted: string): { file: string; name: string } {
  for (const [, type, names = "", file = ""] of readFileSync(index, "utf8").matchAll(REEXPORT)) {
    const found = type ? undefined : values(names).find(({ alias }) => alias === wanted);
    if (found === undefined) continue;
    const next = join(dirname(index), file);
    if (next.endsWith("/index.ts")) return definition(next, found.name);
    return { file: next, name: found.name };
  }
  return { file: index, name: wanted };
}

/** Types are gone when the file is run. */
function values(names: string): Name[] {
  return names
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "" && !text.startsWith("type "))
    .map((text) => {
      const [name = "", alias = name] = text.split(" as ");
      return { name, alias };
    });
}
