import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OCI_VERSION } from "./state.ts";

/** In runc's form. */
export function versionText(): string {
  const version = packageVersion();
  return `tsrun-oci version ${version}\ncommit: ${version}\nspec: ${OCI_VERSION}\nnode: ${process.versions.node}\n`;
}

/** Of the package that this program lies in. */
export function packageVersion(): string {
  for (let dir = import.meta.dirname; dir !== "/"; dir = dirname(dir)) {
    const found = readIfThere(join(dir, "package.json"));
    if (found !== undefined) return (JSON.parse(found) as { version: string }).version;
  }
  throw new Error("there is no package.json above this program");
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
}
