import { closeSync, constants, ftruncateSync, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { growExt4, updateLoopSize } from "../../ffi/index.ts";
import { containerPaths, type Engine } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import type { DiskRequest } from "../request.ts";
import { inStore } from "../store/store-error.ts";
import { allocate, growImageAtRest, imageSize } from "./image.ts";
import { type DiskPaths, diskPaths, findLoop, unmountDisk } from "./mount.ts";
import { holdQuota } from "./quota.ts";

const BLOCK_BYTES = 4096;
const { O_DIRECTORY, O_RDONLY } = constants;

/** What the disk is to be. Throws INVALID_ARGUMENT for a smaller one, UNSUPPORTED where there is none. */
export function planGrowth(config: ContainerConfig, sizeBytes: number): DiskRequest {
  const { name, request } = config;
  const { disk } = request;
  if (!disk) {
    throw new TsrunError("UNSUPPORTED", `"${name}" has no disk of its own`, {
      hint: "Only a container that was created with --disk has one.",
    });
  }
  if (sizeBytes >= disk.sizeBytes) return { ...disk, sizeBytes };
  throw new TsrunError("INVALID_ARGUMENT", `the disk of "${name}" cannot become smaller`, {
    hint: `It has ${disk.sizeBytes} bytes: ask for more.`,
  });
}

/**
 * Grows the disk, which is there, under the container that uses it. With a file system of its own, ext4
 * lets only CAP_SYS_RESOURCE do that; without it, the container must not run. Throws PERMISSION, NO_SPACE;
 * the disk is then as before.
 */
export async function growDisk(
  engine: Engine,
  { id, quota }: Pick<ContainerConfig, "id" | "quota">,
  disk: DiskRequest,
  { running }: { readonly running: boolean },
): Promise<void> {
  const paths = diskPaths(containerPaths(engine, id).dir);
  if (quota) holdQuota(paths, quota, disk.sizeBytes);
  else await growImage(paths, disk, { running });
}

async function growImage(
  paths: DiskPaths,
  disk: DiskRequest,
  { running }: { readonly running: boolean },
): Promise<void> {
  const before = imageSize(paths.image);
  resizeImage(paths, disk);
  faultPoint();
  try {
    if (growMounted(paths, disk)) return;
    if (running) throw needsRest();
    await growUnmounted(paths);
  } catch (error) {
    shrinkImage(paths, before);
    throw error;
  }
}

function resizeImage({ image }: DiskPaths, disk: DiskRequest): void {
  const fd = inStore("open", image, () => openSync(image, "r+"));
  try {
    allocate(fd, image, disk);
  } finally {
    closeSync(fd);
  }
}

/** What the file system does not use yet can be given back. */
function shrinkImage({ image }: DiskPaths, sizeBytes: number): void {
  const fd = openSync(image, "r+");
  try {
    ftruncateSync(fd, sizeBytes);
  } finally {
    closeSync(fd);
  }
  const loop = findLoop(image);
  if (!loop) return;
  updateLoopSize(loop.fd);
  closeSync(loop.fd);
}

/** False where this user may not. */
function growMounted({ image, mountPoint }: DiskPaths, { sizeBytes }: DiskRequest): boolean {
  const loop = findLoop(image);
  if (!loop) throw new Error(`"${image}" is not mounted`);
  try {
    updateLoopSize(loop.fd);
  } finally {
    closeSync(loop.fd);
  }
  faultPoint();
  const fd = openSync(mountPoint, O_RDONLY | O_DIRECTORY);
  try {
    growExt4(fd, BigInt(Math.floor(sizeBytes / BLOCK_BYTES)));
    return true;
  } catch (error) {
    if (hasErrno(error, "EPERM")) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

const LOOP_GONE_ATTEMPTS = 500;
const LOOP_GONE_PAUSE_MS = 10;

async function growUnmounted(paths: DiskPaths): Promise<void> {
  unmountDisk(paths);
  for (let attempt = 0; attempt < LOOP_GONE_ATTEMPTS; attempt += 1) {
    const loop = findLoop(paths.image);
    if (!loop) {
      faultPoint();
      await growImageAtRest(paths.image);
      return;
    }
    closeSync(loop.fd);
    await setTimeout(LOOP_GONE_PAUSE_MS);
  }
  throw new TsrunError("TIMEOUT", `the disk "${paths.image}" stays mounted`, {
    hint: "Some process or mount namespace holds it: see /proc/*/mountinfo.",
  });
}

function needsRest(): TsrunError {
  return new TsrunError("PERMISSION", "the disk of a running container cannot be grown here", {
    hint: "The kernel asks for CAP_SYS_RESOURCE, which this user lacks: stop the container first.",
    errno: "EPERM",
  });
}
