/**
 * What makes one machine another: a clone that is to be one of its own must not have its original's.
 * machine-id(5), systemd's "Safely Building Images".
 */
import { closeSync, constants } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import {
  directoryNames,
  existsInRoot,
  openInRoot,
  unlinkAt,
  writeFileInRoot,
} from "../../ffi/index.ts";

const MACHINE_ID = "/etc/machine-id";
/** Made anew by whoever needs them, as a rule at boot. A directory, and which names in it. */
const MADE_ANEW: readonly (readonly [directory: string, name: RegExp])[] = [
  ["/etc/ssh", /^ssh_host_.*_key(\.pub)?$/],
  ["/var/lib/dbus", /^machine-id$/],
  ["/var/lib/systemd", /^(random-seed|credential\.secret)$/],
];

const { O_DIRECTORY, O_RDONLY } = constants;

/**
 * Empties /etc/machine-id (an empty one is filled at boot, a missing one on a read-only root is not) and
 * removes ssh host keys, random seeds and the D-Bus id. No link leads out of the root. Answers what was
 * changed.
 */
export function clearIdentity(root: number): readonly string[] {
  const cleared = MADE_ANEW.flatMap(([directory, name]) => removeNames(root, directory, name));
  if (!existsInRoot(root, MACHINE_ID)) return cleared;
  writeFileInRoot(root, MACHINE_ID, Buffer.alloc(0));
  return [MACHINE_ID, ...cleared];
}

function removeNames(root: number, directory: string, wanted: RegExp): readonly string[] {
  const fd = openDirectory(root, directory);
  if (fd === undefined) return [];
  try {
    const names = [...directoryNames(fd)].filter((name) => wanted.test(name.toString("latin1")));
    for (const name of names) unlinkAt(fd, name);
    return names.map((name) => `${directory}/${name.toString("latin1")}`);
  } finally {
    closeSync(fd);
  }
}

function openDirectory(root: number, path: string): number | undefined {
  try {
    return openInRoot(root, path, { flags: O_RDONLY | O_DIRECTORY });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}
