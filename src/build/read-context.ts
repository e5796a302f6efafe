/**
 * What a build is made of, found as podman-build(1) and docker find it: the context's directory, the
 * Containerfile, and the patterns of what does not belong to the context.
 */
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { parseIgnoreFile } from "./ignore.ts";
import type { BuildOptions } from "./options.ts";

export interface ContextChoice {
  /** A directory; undefined for a build without files. */
  readonly context: string | undefined;
  /** Instead of the context's Containerfile or Dockerfile. */
  readonly file?: string;
  /** The Containerfile itself, for one that is no file. */
  readonly text?: string;
  /** Instead of the context's .containerignore or .dockerignore. */
  readonly ignoreFile?: string;
}

/** Throws NOT_FOUND. */
export function readBuildContext(
  choice: ContextChoice,
): Required<Pick<BuildOptions, "containerfile" | "ignore">> & Pick<BuildOptions, "context"> {
  const context = choice.context === undefined ? undefined : resolve(choice.context);
  if (context !== undefined) checkDirectory(context);
  const path = choice.text === undefined ? findContainerfile(context, choice.file) : undefined;
  const text = path === undefined ? (choice.text ?? "") : readText(path);
  return {
    ...(context === undefined ? {} : { context }),
    containerfile: { text, name: path === undefined ? "Containerfile" : basename(path) },
    ignore: readIgnore(context, path, choice.ignoreFile),
  };
}

function checkDirectory(context: string): void {
  if (statSync(context, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TsrunError("NOT_FOUND", `the context "${context}" is no directory`, {
    hint: "Name the directory that COPY takes its files from.",
  });
}

const NAMES = ["Containerfile", "Dockerfile"];

/** One that was named is looked for from here, and then from the context. */
function findContainerfile(context: string | undefined, file: string | undefined): string {
  const wanted = file === undefined ? NAMES : [file];
  const places = [
    ...(file === undefined ? [] : [resolve(file)]),
    ...(context === undefined ? [] : wanted.map((name) => resolve(context, name))),
  ];
  const found = places.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (found !== undefined) return found;
  const where = context === undefined ? "" : ` in "${context}"`;
  throw new TsrunError("NOT_FOUND", `there is no ${wanted.join(" or ")}${where}`, {
    hint: "Name it with --file, or give - to read it from stdin.",
  });
}

function readIgnore(
  context: string | undefined,
  containerfile: string | undefined,
  ignoreFile: string | undefined,
): readonly string[] {
  if (ignoreFile !== undefined) return parseIgnoreFile(readText(ignoreFile));
  const beside =
    containerfile === undefined
      ? []
      : [".containerignore", ".dockerignore"].map((suffix) =>
          join(dirname(containerfile), `${basename(containerfile)}${suffix}`),
        );
  const inContext =
    context === undefined
      ? []
      : [".containerignore", ".dockerignore"].map((name) => join(context, name));
  for (const path of [...beside, ...inContext]) {
    const text = readIfThere(path);
    if (text !== undefined) return parseIgnoreFile(text);
  }
  return [];
}

function readText(path: string): string {
  const text = readIfThere(path);
  if (text !== undefined) return text;
  throw new TsrunError("NOT_FOUND", `there is no file "${path}"`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
}
