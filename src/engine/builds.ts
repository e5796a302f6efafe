/**
 * What builds have besides their work in the image store: containers with a label, and a directory on the
 * tmpfs for what must not come to lie on a disk.
 *
 *     RUN/build/NAME/   NAME is that of the build's work; without that work its builder was killed
 */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { removeTree } from "../ffi/index.ts";
import { ImageStore, type StoredImage } from "../images/index.ts";
import type { Engine } from "./engine.ts";
import { recordImageEvent } from "./events/record.ts";
import { listContainers } from "./list.ts";
import { removeContainer } from "./remove.ts";

/** A build's containers have it; its value is the build's name. */
export const BUILD_LABEL = "io.tsrun.build";

function buildsDirectory(engine: Engine): string {
  return join(engine.runRoot, "build");
}

/** Answers the directory. Others may pass through it to what is mounted from it, but list nothing. */
export function makeBuildDirectory(engine: Engine, name: string): string {
  const directory = join(buildsDirectory(engine), name);
  makeDirectories(directory, 0o711);
  return directory;
}

export function removeBuildDirectory(engine: Engine, name: string): void {
  removeTree(join(buildsDirectory(engine), name));
  try {
    rmdirSync(buildsDirectory(engine));
  } catch (error) {
    if (!hasErrno(error, "ENOTEMPTY", "EEXIST", "ENOENT")) throw error; // another build's are there
  }
}

/** Builds whose work is gone: removeAbandoned of the image store comes before. */
export function abandonedBuilds(
  engine: Engine,
): readonly { readonly name: string; readonly path: string }[] {
  const works = new ImageStore(engine.root).temporaryDirectory;
  return listNames(buildsDirectory(engine))
    .filter((name) => !existsSync(join(works, name)))
    .map((name) => ({ name, path: join(buildsDirectory(engine), name) }));
}

/** Ends its containers. */
export async function removeAbandonedBuild(engine: Engine, name: string): Promise<void> {
  const filters = { label: [`${BUILD_LABEL}=${name}`] };
  for (const { config } of await listContainers(engine, { all: true, filters })) {
    await removeContainer(engine, config.id, { force: true, ignoreMissing: true });
  }
  removeBuildDirectory(engine, name);
}

export function recordBuild(engine: Engine, { id, names }: StoredImage): void {
  recordImageEvent(engine, { id, name: names[0] }, "build");
}

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}
