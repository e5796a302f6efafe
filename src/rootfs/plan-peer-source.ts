/**
 * The source of a bind mount that is in another mount namespace, such as another container's /dev/shm.
 * Only a mount of one's own namespace can be cloned, not one that is reached through /proc/PID/root
 * (open_tree(2), EINVAL). So the stage goes there, clones it, and comes back.
 */
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import { AT_EMPTY_PATH, CLONE_NEWNS, O_CLOEXEC, O_PATH, RESOLVE } from "./flags.ts";
import { close, type OpMaker, type RootfsSlots } from "./ops.ts";

export interface PeerSource {
  /** A file such as /proc/PID/ns/mnt. */
  readonly namespace: string;
  /** Absolute in that namespace. No link on the way is followed: whoever is in there could have made it. */
  readonly path: string;
  /** Of open_tree(2). */
  readonly flags: number;
  readonly out: Slot;
}

/**
 * Nothing may fail for good while the stage is away: it undoes the launch by paths of its own namespace.
 * Without the source `out` stays empty, and whatever is asked of it next fails (EBADF).
 */
export function planPeerSource(
  host: OpMaker,
  { allocator, scratch }: RootfsSlots,
  { namespace, path, flags, out }: PeerSource,
): PlannedOp[] {
  const [ownNamespace, ownRoot, peer] = [allocator.take(), allocator.take(), allocator.take()];
  const open = (file: string, slot: Slot, more = 0) =>
    host({ kind: "open", path: file, dir: SLOT_CWD, flags: O_CLOEXEC | more, out: slot });
  const find = host(
    {
      kind: "openat2",
      path,
      dir: SLOT_CWD,
      flags: O_PATH | O_CLOEXEC,
      mode: 0,
      resolve: RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS,
      out: scratch,
    },
    { tolerate: ["ENOENT", "ELOOP"], skipFailed: 2 },
  );
  const clone = { kind: "openTree", path: "", dir: scratch, flags: flags | AT_EMPTY_PATH } as const;
  return [
    open("/proc/self/ns/mnt", ownNamespace),
    open("/", ownRoot, O_PATH),
    open(namespace, peer),
    host(
      { kind: "setns", slot: peer, flags: CLONE_NEWNS },
      { hint: "The other container has just ended." },
    ),
    find,
    host({ ...clone, out }, { tolerate: ["EINVAL", "EPERM"] }),
    host(close(scratch)),
    host({ kind: "setns", slot: ownNamespace, flags: CLONE_NEWNS }),
    // setns(2) has moved root and working directory to the namespace's own root; ours may be another.
    host({ kind: "fchdir", slot: ownRoot }),
    host({ kind: "chroot", path: "." }),
    ...[ownNamespace, ownRoot, peer].map((slot) => host(close(slot))),
  ];
}
