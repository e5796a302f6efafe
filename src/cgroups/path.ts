import { TsrunError } from "../base/errors.ts";

const ORIGIN = "linux.cgroupsPath";

/**
 * A cgroup's path below the mount point, normalised: "/a/b". Throws INVALID_SPEC for a relative
 * path, "..", and names that the kernel would not take. cgroup-v2.rst, "Organizing Processes".
 */
export function parseCgroupPath(path: string): string {
  if (!path.startsWith("/")) {
    throw invalid(`the cgroup path "${path}" is not absolute`, {
      hint: "It is taken below the place where cgroup v2 is mounted, e.g. /tsrun/NAME.",
    });
  }
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  for (const name of names) {
    if (name === "..") throw invalid(`the cgroup path "${path}" leaves its place with ".."`);
    if (new TextEncoder().encode(name).length > 255) {
      throw invalid(`"${name}" in the cgroup path is longer than 255 bytes`);
    }
    if (/[\n\0]/.test(name)) throw invalid(`the cgroup path ${JSON.stringify(path)} has a newline`);
  }
  return `/${names.join("/")}`;
}

/** The cgroups between the top and `path`, without either: "/a/b/c" gives "/a" and "/a/b". */
export function ancestors(path: string): readonly string[] {
  const names = path.split("/").slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}

function invalid(message: string, options: { readonly hint?: string } = {}): TsrunError {
  return new TsrunError("INVALID_SPEC", message, { origin: ORIGIN, ...options });
}
