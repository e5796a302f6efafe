/**
 * Owns named volumes: their records, directories and locks, what lies behind one (a directory, a tmpfs,
 * a device), and its mounting on the host where that is needed. It refuses to know containers: who uses
 * a volume, and what an image has to put into a new one, is the engine's. Start with record.ts.
 */
export { isMounted, mountVolume, unmountVolume } from "./mount.ts";
export { parseVolumeName, randomVolumeName } from "./name.ts";
export { type Backing, isMountedBacking, planBacking } from "./plan-backing.ts";
export { type CopyUpState, type VolumeRecord, volumePaths } from "./record.ts";
export {
  abandonedVolumes,
  clearVolume,
  createVolume,
  deleteVolume,
  listVolumes,
  lockVolume,
  readVolume,
  removeAbandonedVolume,
  tryLockVolume,
  type VolumeLock,
  writeVolume,
} from "./store.ts";
