/**
 * A container's disk mounted on containers/ID/disk, for as long as a command holds the container's lock. A
 * run keeps what it needs of it in its own mount namespace. The kernel takes the loop device away with the
 * last mount, so that nothing is left by whoever is killed but a mount, which the next command uses and
 * removes.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
} from "node:fs";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import {
  configureLoop,
  findFreeLoop,
  mount,
  readLoopFile,
  statx,
  umount2,
} from "../../ffi/index.ts";
import { inStore } from "../store/store-error.ts";

export interface DiskPaths {
  readonly image: string;
  readonly mountPoint: string;
}

export function diskPaths(containerDirectory: string): DiskPaths {
  return { image: `${containerDirectory}/disk.img`, mountPoint: `${containerDirectory}/disk` };
}

const MS_NOSUID_NODEV = 2 | 4;
const MNT_DETACH = 2;
const AT_FDCWD = -100;

/** Mounted until it is disposed of. Throws UNSUPPORTED where there are no loop devices. */
export function mountDisk(paths: DiskPaths, { sparse }: { readonly sparse: boolean }): Disposable {
  const { image, mountPoint } = paths;
  inStore("mount", image, () => {
    if (!existsSync(mountPoint)) mkdirSync(mountPoint, { mode: 0o711 });
    if (isDiskMounted(paths)) return; // by a command that was killed
    faultPoint();
    const loop = attachLoop(image);
    faultPoint();
    try {
      // A sparse disk gives back what is deleted in it.
      const options = sparse ? { options: "discard" } : {};
      const request = { source: loop.path, target: mountPoint, type: "ext4", ...options };
      mount({ ...request, flags: MS_NOSUID_NODEV });
    } finally {
      closeSync(loop.fd); // the mount holds the device now, or nobody does
    }
    chmodSync(mountPoint, 0o711);
  });
  faultPoint();
  return { [Symbol.dispose]: () => unmountDisk(paths) };
}

/** Fine if it is not mounted. */
export function unmountDisk(paths: DiskPaths): void {
  const { mountPoint } = paths;
  if (!isDiskMounted(paths)) return;
  faultPoint();
  // Another mount namespace that is just being made may still have its copy.
  inStore("unmount", mountPoint, () => umount2(mountPoint, MNT_DETACH));
}

export function isDiskMounted({ mountPoint }: DiskPaths): boolean {
  return existsSync(mountPoint) && statx(AT_FDCWD, mountPoint).isMountRoot;
}

interface Loop {
  readonly fd: number;
  readonly path: string;
}

/** Two devices over one file would be two file systems that know nothing of each other. */
export function attachLoop(image: string): Loop {
  const there = findLoop(image);
  if (there) return there;
  const file = openSync(image, "r+");
  try {
    for (;;) {
      const loop = openLoop(findFreeLoop());
      try {
        configureLoop(loop.fd, file, image);
        return loop;
      } catch (error) {
        closeSync(loop.fd);
        if (!hasErrno(error, "EBUSY")) throw error; // somebody was faster
      }
    }
  } finally {
    closeSync(file);
  }
}

function openLoop(number: number): Loop {
  const path = `/dev/loop${number}`;
  try {
    return { fd: openSync(path, "r+"), path };
  } catch (cause) {
    if (!hasErrno(cause, "ENOENT", "EACCES", "EPERM", "ENXIO")) throw cause;
    throw new TsrunError("UNSUPPORTED", `a disk of its own needs the loop device "${path}"`, {
      hint: "Load the module (modprobe loop), or leave out --disk.",
      cause,
    });
  }
}

/** The device that has the image, open; undefined where none has. */
export function findLoop(image: string): Loop | undefined {
  const { dev, ino } = statSync(image, { bigint: true });
  for (const name of readdirSync("/sys/block")) {
    if (!name.startsWith("loop") || !existsSync(`/sys/block/${name}/loop`)) continue;
    const loop = openIfThere(Number(name.slice("loop".length)));
    if (!loop) continue;
    if (holds(loop.fd, { dev, ino })) return loop;
    closeSync(loop.fd);
  }
  return undefined;
}

function openIfThere(number: number): Loop | undefined {
  try {
    return openLoop(number);
  } catch (error) {
    if (error instanceof TsrunError) return undefined;
    throw error;
  }
}

function holds(fd: number, { dev, ino }: { readonly dev: bigint; readonly ino: bigint }): boolean {
  try {
    const file = readLoopFile(fd);
    return file.inode === ino && file.device === dev;
  } catch (error) {
    if (hasErrno(error, "ENXIO")) return false; // it was taken off meanwhile
    throw error;
  }
}
