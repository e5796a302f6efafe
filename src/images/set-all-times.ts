import { closeSync } from "node:fs";
import { directoryNames, openDirectoryAt, openRoot, setTimesAt, statx } from "../ffi/index.ts";

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** Gives a directory and all that is in it one time, in nanoseconds since the epoch. No link is followed. */
export function setAllTimes(directory: string, timeNs: bigint): void {
  const root = openRoot(directory);
  try {
    setBelow(root, Buffer.from("."), { atimeNs: timeNs, mtimeNs: timeNs });
  } finally {
    closeSync(root);
  }
}

type Times = Parameters<typeof setTimesAt>[2];

function setBelow(parent: number, name: Buffer, times: Times): void {
  const fd = openDirectoryAt(parent, name);
  try {
    for (const entry of directoryNames(fd)) {
      if ((statx(fd, entry).mode & S_IFMT) === S_IFDIR) setBelow(fd, entry, times);
      else setTimesAt(fd, entry, times);
    }
    setTimesAt(fd, "", times);
  } finally {
    closeSync(fd);
  }
}
