/**
 * COPY and ADD: the files that go in, and writing them.
 */
import { createHash } from "node:crypto";
import { createWriteStream, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { resolveUser } from "../engine/index.ts";
import { openInRoot, readFileInRoot } from "../ffi/index.ts";
import { type Entry, fetchUrl, type ImageDrafts, unpackTar } from "../images/index.ts";
import { openArchive } from "./archive.ts";
import { digest } from "./cache-key.ts";
import {
  type CopiedFile,
  digestFiles,
  type FileChanges,
  type FileTree,
  type FoundFile,
  findFiles,
  readHostFile,
  toLatin1,
  walkFiles,
} from "./files.ts";
import { IgnoreRules } from "./ignore.ts";
import { type PlannedCopy, planCopy, targetDirectory } from "./plan-copy.ts";
import type { CopyAction } from "./step.ts";
import { isDirectoryIn, makeOwnedDirectories, type Owner, writeFiles } from "./write-files.ts";

/** The sources, found; nothing of them is read yet but what the digest needed. */
export interface CopyInputs {
  readonly tree: FileTree;
  readonly found: readonly FoundFile[];
  readonly fetched: readonly FetchedFile[];
  /** Of all of it. */
  readonly digest: string;
}

interface FetchedFile {
  readonly name: string;
  readonly path: string;
  readonly mtimeNs: bigint;
}

/** Throws INVALID_ARGUMENT for a source that is not there. */
export async function readCopyInputs(
  action: CopyAction,
  tree: FileTree,
  { drafts, signal }: { readonly drafts: ImageDrafts; readonly signal: AbortSignal | undefined },
): Promise<CopyInputs> {
  const isUrl = (source: string) => action.isAdd && /^https?:\/\//.test(source);
  checkSources(action);
  const found = action.sources
    .filter((source) => !isUrl(source))
    .flatMap((source) => {
      const files = findFiles(tree, source);
      if (files.length === 0) throw noSource(source, tree);
      return files;
    });
  const fetched: (FetchedFile & { readonly digest: string })[] = [];
  for (const source of action.sources.filter(isUrl)) {
    fetched.push(await fetchFile(source, { drafts, checksum: action.checksum, signal }));
  }
  const changes = { exclude: new IgnoreRules(action.exclude) };
  const digests: string[] = [];
  for (const file of found) {
    const name = action.parents ? file.path : file.kind === "file" ? basename(file.path) : "";
    digests.push(await digestFiles(walkFiles(tree, file, name, changes)));
  }
  const all = [...digests, ...fetched.map((file) => `${file.name} ${file.digest}`)];
  return { tree, found, fetched, digest: digest(JSON.stringify(all)) };
}

function checkSources({ isAdd, sources }: CopyAction): void {
  const git = sources.find((source) => /^(git@|ssh:|git:)|^https?:.*\.git(#|$)/.test(source));
  if (isAdd && git !== undefined) {
    throw new TsrunError("UNSUPPORTED", `"${git}" is a git repository, which ADD cannot fetch`, {
      hint: "Clone it with RUN, or before the build, and COPY it.",
    });
  }
}

function noSource(source: string, { isContext, ignore }: FileTree): TsrunError {
  const where = isContext ? "the context" : "what --from names";
  const problem = `there is no "${source}" in ${where}`;
  return new TsrunError("INVALID_ARGUMENT", problem, {
    hint: ignore
      ? "Paths count from the context's root; .containerignore may leave it out."
      : "Paths count from the root of it.",
  });
}

async function fetchFile(
  source: string,
  {
    drafts,
    checksum,
    signal,
  }: {
    readonly drafts: ImageDrafts;
    readonly checksum: string | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<FetchedFile & { readonly digest: string }> {
  const url = new URL(source);
  const path = join(drafts.makeDirectory("fetched"), "file");
  const hash = createHash("sha256");
  const modifiedMs = await fetchUrl(url, signal ? { signal } : {}, async (fetched) => {
    async function* hashed() {
      for await (const chunk of fetched.body) {
        hash.update(chunk);
        yield chunk;
      }
    }
    await pipeline(Readable.from(hashed()), createWriteStream(path, { mode: 0o600 }));
    return fetched.modifiedMs;
  });
  const found = `sha256:${hash.digest("hex")}`;
  if (checksum !== undefined && found !== checksum) {
    throw new TsrunError("INVALID_ARGUMENT", `"${source}" is not what --checksum says: ${found}`);
  }
  const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
  return { name, path, mtimeNs: BigInt(modifiedMs ?? 0) * 1_000_000n, digest: found };
}

/** Writes them below an image's root. Throws INVALID_ARGUMENT, IMAGE_INVALID for a hostile archive. */
export async function applyCopy(
  root: number,
  action: CopyAction,
  inputs: CopyInputs,
): Promise<void> {
  const { tree } = inputs;
  const owner = action.chown === undefined ? undefined : readOwner(root, action.chown);
  const changes: FileChanges = {
    ...(owner ? { owner } : {}),
    ...(action.chmod === undefined ? {} : { mode: action.chmod }),
    exclude: new IgnoreRules(action.exclude),
  };
  const { archives, files } = await sortOut(action, inputs);
  const inline = inlineFiles(action, inputs.fetched, changes);
  const others = inline.map(({ name }) => ({ path: toLatin1(name), kind: "file" as const }));
  const target = {
    path: toLatin1(action.target),
    isDirectory: isDirectoryIn(root, action.target) || archives.length > 0,
  };
  const planned = planCopy([...files, ...others], target, action);
  if (typeof planned === "string") {
    const hint = 'End the target with "/" to make it a directory.';
    throw new TsrunError("INVALID_ARGUMENT", planned, { hint });
  }
  const directory = targetDirectory(target, planned);
  const utf8 = Buffer.from(directory, "latin1").toString();
  makeOwnedDirectories(root, utf8, owner ?? { uid: 0, gid: 0 });
  for (const archive of archives) {
    await unpackTar(archive, openInRoot(root, utf8 === "" ? "/" : utf8), {
      whiteouts: false,
      ...(owner ? { owner } : {}),
    });
  }
  await writeFiles(root, plannedFiles(planned, { tree, inline, changes, count: files.length }));
}

/** The files that were found come first, and then those that lie in no tree. */
function* plannedFiles(
  planned: readonly PlannedCopy[],
  {
    tree,
    inline,
    changes,
    count,
  }: {
    readonly tree: FileTree;
    readonly inline: readonly InlineFile[];
    readonly changes: FileChanges;
    readonly count: number;
  },
): Generator<CopiedFile> {
  for (const [at, { file, name }] of planned.entries()) {
    const made = inline[at - count];
    if (made) yield made.as(name);
    else yield* walkFiles(tree, file, name, changes);
  }
}

async function sortOut(
  { isAdd, unpack }: CopyAction,
  { tree, found }: CopyInputs,
): Promise<{
  readonly archives: readonly AsyncIterable<Uint8Array>[];
  readonly files: readonly FoundFile[];
}> {
  if (!isAdd || unpack === false) return { archives: [], files: found };
  const archives: AsyncIterable<Uint8Array>[] = [];
  const files: FoundFile[] = [];
  for (const file of found) {
    const archive =
      file.kind === "file"
        ? await openArchive(tree.root, Buffer.from(file.path, "latin1"))
        : undefined;
    if (archive) archives.push(archive);
    else files.push(file);
  }
  return { archives, files };
}

interface InlineFile {
  readonly name: string;
  readonly as: (path: string) => CopiedFile;
}

/** Here-documents, and what was fetched. */
function inlineFiles(
  { files }: CopyAction,
  fetched: readonly FetchedFile[],
  { owner, mode }: FileChanges,
): readonly InlineFile[] {
  const entry = (path: string, size: number, usualMode: number, mtimeNs: bigint): Entry => ({
    ...{ type: "file", path, linkname: "", size, mtimeNs, device: undefined, xattrs: new Map() },
    ...{ mode: mode ?? usualMode, ...(owner ?? { uid: 0, gid: 0 }) },
  });
  return [
    ...files.map(({ name, contents }) => ({
      name,
      as: (path: string) => ({
        entry: entry(path, Buffer.byteLength(contents), 0o644, 0n),
        contents: () => Readable.from([Buffer.from(contents)]),
      }),
    })),
    ...fetched.map(({ name, path: source, mtimeNs }) => ({
      name,
      as: (path: string) => ({
        entry: entry(path, statSync(source).size, 0o600, mtimeNs),
        contents: () => readHostFile(source),
      }),
    })),
  ];
}

/** "user", "user:group", or numbers: a number alone is the group's too, as docker has it. */
function readOwner(root: number, text: string): Owner {
  if (/^\d+$/.test(text)) return { uid: Number(text), gid: Number(text) };
  const { uid, gid } = resolveUser(text, [], {
    passwd: readText(root, "/etc/passwd"),
    group: readText(root, "/etc/group"),
  });
  return { uid, gid };
}

function readText(root: number, path: string): string {
  try {
    return Buffer.from(readFileInRoot(root, path)).toString();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return "";
    throw error;
  }
}
