import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, statSync } from "node:fs";
import { copyTree, copyXattrs, entryPath } from "../../ffi/index.ts";

const { O_DIRECTORY, O_RDONLY } = constants;
const ITSELF = Buffer.from(".");

/** A layer onto another file system, its own mode, owner and attributes with it. `to` may be there, empty. */
export function copyLayer(from: string, to: string): void {
  mkdirSync(to, { mode: 0o755, recursive: true });
  const { mode, uid, gid } = statSync(from);
  const source = openSync(from, O_RDONLY | O_DIRECTORY);
  try {
    const target = openSync(to, O_RDONLY | O_DIRECTORY);
    try {
      copyTree(source, target);
      copyXattrs(entryPath(source, ITSELF), entryPath(target, ITSELF), () => true);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
  chownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
}
