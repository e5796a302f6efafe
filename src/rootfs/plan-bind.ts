/**
 * A bind mount. Opened and dressed in the host phase: there the source's path can be walked even where the
 * container's root could not, and the attributes are set before anybody sees the mount.
 */
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import type { OciMount } from "../spec/index.ts";
import type { SourceKind } from "./facts.ts";
import { AT_RECURSIVE, MOUNT_ATTR, MS, O_CLOEXEC, OPEN_TREE_CLONE } from "./flags.ts";
import { invalid } from "./invalid.ts";
import type { MountContext, MountPlan } from "./mount-context.ts";
import type { MountOptions } from "./mount-options.ts";
import { isReplaceable, isStrict } from "./mount-places.ts";
import {
  attach,
  close,
  mountSetattr,
  type OpMaker,
  openTarget,
  opMaker,
  setAttributes,
  setPropagation,
  type TargetKind,
} from "./ops.ts";
import { planPeerSource } from "./plan-peer-source.ts";

export interface BindSource {
  readonly path: string;
  /** The file of the mount namespace that `path` is in; undefined is ours. */
  readonly namespace?: string;
  readonly kind: SourceKind;
  readonly options: MountOptions;
}

interface BindRequest extends BindSource {
  readonly origin: string;
  readonly context: MountContext;
}

export function planBind(mount: OciMount, request: BindRequest): MountPlan {
  const { path, namespace, kind, options, origin, context } = request;
  assertBindable(request);
  const { slots, idMapSlot } = context;
  const host = opMaker("host", origin);
  const child = opMaker("child", origin);
  const source = slots.allocator.take();
  const recursive = options.bind === "rbind";
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  // Without a word about it, nothing passes between the host's mounts and the container's.
  const propagation = options.propagation ?? { type: MS.PRIVATE, recursive: true };
  const target: TargetKind = kind === "file" ? "file" : "directory";
  return {
    host: [
      ...(namespace === undefined
        ? [host({ kind: "openTree", path, dir: SLOT_CWD, flags, out: source })]
        : planPeerSource(host, slots, { namespace, path, flags, out: source })),
      {
        ...setPropagation(host, source, propagation),
        ...(namespace === undefined
          ? {}
          : { hint: `The other container has no ${path} any more.` }),
      },
      ...setAttributes(host, source, options.recursiveAttributes, { recursive: true }),
      ...setAttributes(host, source, options.attributes),
      ...(idMapSlot === undefined
        ? []
        : [
            planIdMap(host, source, {
              path,
              recursive: options.idMap?.recursive ?? false,
              userns: idMapSlot,
            }),
          ]),
    ],
    child: [
      ...openTarget(child, slots, {
        path: mount.destination,
        kind: target,
        strict: isStrict(mount),
        mayBeInProc: isReplaceable(mount.destination),
      }),
      child(attach(source, slots.target), { hint: targetHint(mount.destination, target) }),
      child(close(slots.target)),
    ],
    mounted: source,
  };
}

function targetHint(destination: string, kind: TargetKind): string {
  return `A ${kind} can only be mounted on a ${kind}, and the image has something else at "${destination}".`;
}

function assertBindable({ path, kind, options, origin, context }: BindRequest): void {
  if (!path.startsWith("/")) {
    throw invalid(origin, `the bind mount's source "${path}" is not an absolute path`);
  }
  if (kind === "missing") {
    throw new TsrunError(
      "NOT_FOUND",
      `${origin}: the bind mount's source "${path}" does not exist`,
      {
        origin,
        hint: "Create it on the host first.",
      },
    );
  }
  if (!context.facts.mountSetattr) {
    throw new TsrunError("UNSUPPORTED", `${origin}: bind mounts need mount_setattr(2)`, {
      origin,
      hint: "Use Linux 5.12 or later.",
    });
  }
  const [foreign] = options.data;
  if (foreign !== undefined) {
    throw invalid(
      origin,
      `"${foreign}" is not an option of a bind mount`,
      "The file system of the source has its options already; a bind mount only has ro, nosuid and the like.",
    );
  }
  if (options.superblock !== 0) {
    throw invalid(
      origin,
      "sync, dirsync, mand, lazytime and iversion belong to a whole file system, not to a bind mount",
    );
  }
  if (options.tmpCopyUp)
    throw invalid(origin, "tmpcopyup is an option of tmpfs, not of a bind mount");
}

function planIdMap(
  host: OpMaker,
  slot: Slot,
  { path, recursive, userns }: { path: string; recursive: boolean; userns: Slot },
): PlannedOp {
  return host(mountSetattr(slot, { attrSet: MOUNT_ATTR.IDMAP, recursive, userns }), {
    hint: `The file system of "${path}" must support id-mapped mounts, and so must those below it with ridmap.`,
  });
}
