import { closeSync, rmSync } from "node:fs";
import { faultPoint } from "../../base/fault.ts";
import { fsconfig, fsmount, fsopen } from "../../ffi/index.ts";
import { attachLoop } from "./mount.ts";

const MOUNT_ATTR_NOSUID_NODEV = 2 | 4;

export interface OpenImage extends Disposable {
  /** Where its files are, for this process alone. */
  readonly path: string;
}

/**
 * The file system in an image, mounted nowhere: it hangs on a descriptor of this process, and goes with it,
 * the loop device too. Whoever has the image mounted sees the same file system.
 */
export function openImage(image: string): OpenImage {
  const loop = attachLoop(image);
  let context: number | undefined;
  try {
    context = fsopen("ext4");
    fsconfig(context, { kind: "string", key: "source", value: loop.path });
    fsconfig(context, { kind: "flag", key: "discard" });
    fsconfig(context, { kind: "create" });
    const fd = fsmount(context, MOUNT_ATTR_NOSUID_NODEV);
    faultPoint();
    const path = `/proc/self/fd/${fd}/.`; // a link that is never followed is not its last part
    // mkfs makes it; to whom the files belong it is no content.
    rmSync(`${path}/lost+found`, { recursive: true, force: true });
    return { path, [Symbol.dispose]: () => closeSync(fd) };
  } finally {
    if (context !== undefined) closeSync(context);
    closeSync(loop.fd);
  }
}
