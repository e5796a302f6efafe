/**
 * File systems that hold projects to a limit, each in a file, and which projects have one.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syscall } from "../../src/ffi/libc.ts";
import { runProgram } from "./cli.ts";

const MAKE = {
  ext4: ["mkfs.ext4", "-q", "-b", "4096", "-O", "quota,project"],
  xfs: ["mkfs.xfs", "-q"],
} as const;
/** xfs is not made any smaller. */
const SIZE_BYTES = 320 * 1024 * 1024;

/** Mounts a new one below `directory`; answers where, or why this machine cannot. The caller unmounts it. */
export async function mountQuotaFileSystem(
  directory: string,
  type: keyof typeof MAKE,
): Promise<{ readonly path: string } | { readonly skip: string }> {
  const own = mkdtempSync(join(directory, type));
  const [image, path] = [join(own, "image"), join(own, "mounted")];
  writeFileSync(image, "");
  truncateSync(image, SIZE_BYTES);
  mkdirSync(path);
  const [program, ...words] = MAKE[type];
  const made = await runProgram(`/sbin/${program}`, [...words, image]);
  if (made.status !== 0) throw new Error(`${program}: ${made.stderr}`);
  const options = ["-t", type, "-o", "loop,prjquota", image, path];
  const mounted = await runProgram("mount", options);
  if (mounted.status === 0) return { path };
  return { skip: `this kernel has no project quotas for ${type} (mount -o prjquota fails)` };
}

const Q_XGETNEXTQUOTA = 0x5809;
const PRJQUOTA = 2;

/** The projects that have a limit. quotactl(2) Q_XGETNEXTQUOTA. */
export function limitedProjects(path: string): readonly number[] {
  const fd = openSync(path, "r");
  const found: number[] = [];
  try {
    for (let id = 0; ; ) {
      const quota = Buffer.alloc(112);
      try {
        const command = Q_XGETNEXTQUOTA * 256 + PRJQUOTA;
        syscall("quotactl_fd", path, fd, command, id, quota);
      } catch {
        return found; // there is no other
      }
      const project = quota.readUInt32LE(4);
      if (quota.readBigUInt64LE(8) > 0n) found.push(project);
      id = project + 1;
    }
  } finally {
    closeSync(fd);
  }
}
