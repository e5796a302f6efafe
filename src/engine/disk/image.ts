/**
 * A container's disk as a file: an ext4 of its own in containers/ID/disk.img. It is the size that the
 * container was given and cannot be more, whatever happens in it.
 */
import { closeSync, ftruncateSync, openSync, statSync } from "node:fs";
import { execa } from "execa";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import type { UndoStack } from "../../base/undo.ts";
import { fallocate, removeTree } from "../../ffi/index.ts";
import type { DiskRequest } from "../request.ts";
import { inStore } from "../store/store-error.ts";

/** Distributions keep it where a user's PATH may not lead. */
const SBIN = "/usr/local/sbin:/usr/sbin:/sbin";

/** Throws UNSUPPORTED where there is no mkfs.ext4, NO_SPACE; nothing is then left. */
export async function createImage(path: string, disk: DiskRequest, undo: UndoStack): Promise<void> {
  const fd = inStore("make", path, () => openSync(path, "wx", 0o600));
  undo.defer(() => removeTree(path));
  try {
    allocate(fd, path, disk);
  } finally {
    closeSync(fd);
  }
  const features = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0";
  await runTool("mkfs.ext4", ["-q", "-F", "-b", "4096", "-m", "0", "-E", features, path]);
}

/** The file at its new size; of a static disk all blocks are taken now. */
export function allocate(fd: number, path: string, { sizeBytes, alloc }: DiskRequest): void {
  inStore("allocate", path, () => {
    if (alloc === "static") fallocate(fd, sizeBytes);
    else ftruncateSync(fd, sizeBytes);
  });
}

/** While nothing has it mounted. Throws what e2fsck(8) and resize2fs(8) say. */
export async function growImageAtRest(path: string): Promise<void> {
  // 1 is "errors corrected": what a journal is replayed with.
  await runTool("e2fsck", ["-f", "-p", path], [0, 1]);
  await runTool("resize2fs", [path]);
}

export function imageSize(path: string): number {
  return inStore("read", path, () => statSync(path).size);
}

async function runTool(
  name: string,
  args: readonly string[],
  fine: readonly number[] = [0],
): Promise<void> {
  const path = `${process.env["PATH"] ?? ""}:${SBIN}`;
  const options = { reject: false, stdin: "ignore", all: true, env: { PATH: path } } as const;
  const { exitCode, all, cause } = await execa(name, args, options);
  if (exitCode !== undefined && fine.includes(exitCode)) return;
  if (hasErrno(cause, "ENOENT")) {
    throw new TsrunError("UNSUPPORTED", `a disk of its own needs ${name}, which is not installed`, {
      hint: "Install the package e2fsprogs, or do without a size.",
      cause,
    });
  }
  const full = /No space left/.test(all ?? "");
  throw new TsrunError(full ? "NO_SPACE" : "SYSTEM", `${name} failed: ${lastLine(all ?? "")}`, {
    hint: full ? "Free some space, or ask for a smaller disk." : "Its whole output is the cause.",
    cause: cause ?? all,
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
