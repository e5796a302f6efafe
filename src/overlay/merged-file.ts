/**
 * A file as a container sees it through its layers, without mounting them: whiteouts and opaque
 * directories hide, and links are followed in the whole stack. The layers of tsrun's own mounts are
 * complete in themselves (plan.ts: no redirects, no metadata-only copies).
 */
import { lstatSync } from "node:fs";
import { entryInLayers, Layer } from "./layer-view.ts";

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
/** As many as the kernel follows. path_resolution(7). */
const MAX_LINKS = 40;

/**
 * What files of one directory at the top ("etc") hold in the stack of these directories, uppermost
 * first; undefined for one that is no regular file. A directory that is not made yet hides nothing.
 */
export function readMergedFiles(
  directories: readonly string[],
  top: string,
  names: readonly string[],
): readonly (Buffer | undefined)[] {
  // Nearly always there is no link on the way, and few layers have anything there.
  const concerned = directories.filter((directory) => isThere(`${directory}/${top}`));
  const paths = names.map((name) => `/${top}/${name}`);
  const found = withLayers(concerned, (layers) => paths.map((path) => readEntry(layers, path)));
  return found.map(
    (file, at) =>
      file ??
      withLayers(directories.filter(isThere), (layers) =>
        readThroughLinks(layers, paths[at] ?? ""),
      ),
  );
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function withLayers<T>(directories: readonly string[], use: (layers: readonly Layer[]) => T): T {
  const layers: Layer[] = [];
  try {
    for (const directory of directories) layers.push(new Layer(directory));
    return use(layers);
  } finally {
    for (const layer of layers) layer[Symbol.dispose]();
  }
}

function readEntry(layers: readonly Layer[], path: string): Buffer | undefined {
  const found = entryInLayers(layers, path);
  if (!found || (found.stat.mode & S_IFMT) !== S_IFREG) return undefined;
  return found.layer.read(path);
}

function readThroughLinks(layers: readonly Layer[], path: string): Buffer | undefined {
  const rest = partsOf(path);
  let at: string[] = [];
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      at.pop();
      continue;
    }
    const here = `/${[...at, part].join("/")}`;
    const found = entryInLayers(layers, here);
    if (!found) return undefined;
    if ((found.stat.mode & S_IFMT) !== S_IFLNK) {
      at.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    const target = found.layer.readLink(here);
    if (target.startsWith("/")) at = [];
    rest.unshift(...partsOf(target));
  }
  return readEntry(layers, `/${at.join("/")}`);
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
