/**
 * A container's disk as a directory with a project of its own: containers/ID/disk, and all that is ever made
 * in it. The file system holds the project to its limit. The directory itself says which project it is, from
 * before there is a limit until after there is none: whoever is killed leaves nothing that is not found by it.
 */
import { randomInt } from "node:crypto";
import { closeSync, constants, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import type { UndoStack } from "../../base/undo.ts";
import {
  hasProjectQuota,
  readProject,
  readProjectQuota,
  setProject,
  setProjectLimit,
} from "../../ffi/index.ts";
import type { Engine } from "../engine.ts";
import type { DiskQuota } from "../records.ts";
import { lockShared } from "../store/lock.ts";
import { inStore } from "../store/store-error.ts";
import type { DiskPaths } from "./mount.ts";

/** Far from those that people write into /etc/projid, and that other engines count from. */
const FIRST_PROJECT = 0x0100_0000;
const LAST_PROJECT = 0x01ff_ffff;
const ATTEMPTS = 100;

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** Whether directories in this one can be held to a size. */
export function probeProjectQuota(directory: string): boolean {
  return withDirectory(directory, hasProjectQuota);
}

/** Makes the disk's directory, with a project that nobody else has and that limit. Throws NO_SPACE. */
export async function createQuota(
  engine: Engine,
  paths: DiskPaths,
  sizeBytes: number,
  undo: UndoStack,
): Promise<DiskQuota> {
  const { mountPoint } = paths;
  inStore("make", mountPoint, () => mkdirSync(mountPoint, { mode: 0o711 }));
  undo.defer(() => releaseQuota(paths));
  using _one = await lockShared(engine, "projects");
  return inStore("limit", mountPoint, () =>
    withDirectory(mountPoint, (fd) => {
      const project = findFreeProject(fd);
      setProject(fd, project); // from now on it is in use
      faultPoint();
      setProjectLimit(fd, project, BigInt(sizeBytes));
      faultPoint();
      return { project };
    }),
  );
}

function findFreeProject(fd: number): number {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const project = randomInt(FIRST_PROJECT, LAST_PROJECT + 1);
    const { limitBytes, usedBytes, usedInodes } = readProjectQuota(fd, project);
    if (limitBytes === 0n && usedBytes === 0n && usedInodes === 0n) return project;
  }
  throw new TsrunError("SYSTEM", "no free project was found for the disk", {
    hint: "`repquota -P` or `xfs_quota -x -c report` shows who has them.",
  });
}

/**
 * Sees to it that the limit holds, also after a growth that was killed. Throws UNSUPPORTED where the file system
 * was mounted without quotas since, STORE_UNAVAILABLE for files that have lost their project.
 */
export function holdQuota(
  { mountPoint }: DiskPaths,
  { project }: DiskQuota,
  sizeBytes: number,
): void {
  inStore("limit", mountPoint, () =>
    withDirectory(mountPoint, (fd) => {
      if (!hasProjectQuota(fd)) throw notEnforced(mountPoint);
      if (readProject(fd) !== project) throw lostProject(mountPoint, project);
      const limit = BigInt(sizeBytes);
      if (readProjectQuota(fd, project).limitBytes !== limit) setProjectLimit(fd, project, limit);
    }),
  );
}

function notEnforced(path: string): TsrunError {
  return new TsrunError("UNSUPPORTED", `nothing holds the disk "${path}" to its size now`, {
    hint: "Its file system was mounted with project quotas (prjquota) before: mount it so again.",
  });
}

function lostProject(path: string, project: number): TsrunError {
  return new TsrunError(
    "STORE_UNAVAILABLE",
    `the disk "${path}" is not of the project ${project}`,
    {
      hint: `It was copied without it. Give it back: chattr -R +P -p ${project} ${path}`,
    },
  );
}

/** Takes the limit away, of a disk that is about to go; fine if it has none, or is no directory with a project. */
export function releaseQuota({ image, mountPoint }: DiskPaths): void {
  if (existsSync(image) || !existsSync(mountPoint)) return;
  inStore("remove", mountPoint, () =>
    withDirectory(mountPoint, (fd) => {
      const project = readProject(fd);
      if (project < FIRST_PROJECT || project > LAST_PROJECT) return; // nobody's, or of the whole root
      if (withDirectory(dirname(mountPoint), readProject) === project) return;
      if (hasProjectQuota(fd)) setProjectLimit(fd, project, 0n);
      faultPoint();
    }),
  );
}

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
