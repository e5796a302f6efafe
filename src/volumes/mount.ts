/**
 * A volume that is a file system of its own: on the host, at its _data, from the first container that
 * uses it to the last. mount(8) does it, because it knows every type and its programs (NFS, loop
 * devices, UUID=…).
 */
import { rmSync } from "node:fs";
import { execa } from "execa";
import { TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { AT_FDCWD, statx, umount2 } from "../ffi/index.ts";
import type { Backing } from "./plan-backing.ts";
import type { VolumePaths } from "./record.ts";

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

export function isMounted(path: string): boolean {
  return statx(AT_FDCWD, path).isMountRoot;
}

/** Throws SYSTEM with mount's own words. The caller has the volume's lock, exclusive. */
export async function mountVolume(
  backing: Extract<Backing, { readonly kind: "mount" | "image" }>,
  { data: path, image }: Pick<VolumePaths, "data" | "image">,
): Promise<void> {
  const { type, device, options } =
    backing.kind === "mount"
      ? backing
      : { type: "ext4", device: image, options: ["loop", "discard", "nosuid", "nodev"] };
  const words = options.length > 0 ? ["-o", options.join(",")] : [];
  const { failed, stderr, shortMessage } = await execa(
    "mount",
    ["-t", type, ...words, "--", device, path],
    { reject: false, stdin: "ignore", env: { LC_ALL: "C" } },
  );
  faultPoint();
  // mkfs makes it, and fsck where it needs it: for a container it is no content of the volume.
  if (!failed && backing.kind === "image")
    rmSync(`${path}/lost+found`, { recursive: true, force: true });
  if (!failed) return;
  const said = stderr.split("\n")[0]?.replace(/^mount: [^:]*: /, "");
  throw new TsrunError("SYSTEM", `cannot mount the volume's ${type}: ${said || shortMessage}`, {
    hint: `"${device}" and the options "${options.join(",")}" are from \`volume create --opt\`.`,
  });
}

/** Processes that still have files open in it keep those. */
export function unmountVolume(path: string): void {
  while (isMounted(path)) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  faultPoint();
}
