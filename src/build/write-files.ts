/**
 * Writing copied files below an image's root. Its own links are followed below it, so that a copy into
 * /bin goes to /usr/bin where that is one; a copied link is never followed.
 */
import { closeSync, constants } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { chownAt, makeDirectoryAt, openInRoot, statInRoot } from "../ffi/index.ts";
import { LayerWriter } from "../images/index.ts";
import { type CopiedFile, toLatin1 } from "./files.ts";

const { O_DIRECTORY } = constants;
const O_PATH = 0o10000000;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Throws INVALID_ARGUMENT where a file would replace a directory, or the other way round. */
export async function writeFiles(root: number, files: Iterable<CopiedFile>): Promise<void> {
  using writer = new LayerWriter(openInRoot(root, "/"), { whiteouts: false });
  for (const { entry, contents } of files) {
    const there = lookUp(root, entry.path);
    if (entry.type === "directory") {
      if (there === "link to a directory") continue;
      if (there === "other") throw inTheWay(entry.path, "is no directory");
    } else if (there === "directory") {
      throw inTheWay(entry.path, "is a directory");
    }
    await writer.write(entry, contents());
  }
  writer.finish();
}

function inTheWay(path: string, what: string): TsrunError {
  const shown = Buffer.from(path, "latin1").toString();
  return new TsrunError("INVALID_ARGUMENT", `"/${shown}" cannot be copied to: it ${what}`, {
    hint: "Remove it with RUN first, or copy to another place.",
  });
}

type There = "nothing" | "directory" | "link to a directory" | "other";

function lookUp(root: number, path: string): There {
  const bytes = Buffer.from(path, "latin1");
  const own = typeAt(root, bytes, false);
  if (own === undefined) return "nothing";
  if (own === S_IFDIR) return "directory";
  return typeAt(root, bytes, true) === S_IFDIR ? "link to a directory" : "other";
}

function typeAt(root: number, path: Buffer, follow: boolean): number | undefined {
  try {
    return statInRoot(root, path.length === 0 ? "/" : path, { follow }).mode & S_IFMT;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

export function isDirectoryIn(root: number, path: string): boolean {
  return typeAt(root, Buffer.from(path), true) === S_IFDIR;
}

/** Makes what is missing of a directory, for this owner. Answers whether anything was. `path` is UTF-8. */
export function makeOwnedDirectories(root: number, path: string, owner: Owner): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  let made = false;
  for (const [at, part] of parts.entries()) {
    const here = parts.slice(0, at + 1).join("/");
    if (isDirectoryIn(root, here)) continue;
    const parent = openInRoot(root, parts.slice(0, at).join("/"), { flags: O_PATH | O_DIRECTORY });
    try {
      makeDirectoryAt(parent, part, 0o755);
      chownAt(parent, part, owner.uid, owner.gid);
    } catch (error) {
      if (!hasErrno(error, "EEXIST", "ENOTDIR")) throw error;
      throw inTheWay(toLatin1(here), "is no directory");
    } finally {
      closeSync(parent);
    }
    made = true;
  }
  return made;
}
