/**
 * What the copied files are called in the image: docs.docker.com/reference/dockerfile "COPY".
 */
import type { FoundFile } from "./files.ts";

export interface CopyTarget {
  /** Absolute in the image; with a slash at its end it is a directory. */
  readonly path: string;
  /** Whether there is a directory already. */
  readonly isDirectory: boolean;
}

export interface PlannedCopy {
  readonly file: FoundFile;
  /** Relative to the image's root: the file's name, or the directory that contents go into. */
  readonly name: string;
}

/** A string is what is wrong. */
export function planCopy(
  files: readonly FoundFile[],
  target: CopyTarget,
  { parents }: { readonly parents: boolean },
): readonly PlannedCopy[] | string {
  const directory = target.path.replace(/^\/+|\/+$/g, "");
  const isDirectory = target.isDirectory || target.path.endsWith("/") || parents;
  if (files.length > 1 && !isDirectory) {
    return `"${target.path}" is no directory, and there are ${files.length} files to copy`;
  }
  return files.map((file) => {
    if (parents) return { file, name: join(directory, file.path) };
    if (file.kind === "directory" || !isDirectory) return { file, name: directory };
    return { file, name: join(directory, baseName(file.path)) };
  });
}

/** The directories that must be there before anything is copied, in the image. */
export function targetDirectory(target: CopyTarget, planned: readonly PlannedCopy[]): string {
  const name = target.path.replace(/^\/+|\/+$/g, "");
  const isDirectory =
    target.isDirectory ||
    target.path.endsWith("/") ||
    planned.some(({ file }) => file.kind === "directory");
  return isDirectory ? name : name.replace(/(^|\/)[^/]*$/, "");
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
