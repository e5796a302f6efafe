/**
 * The time namespace's part of a launch. time_namespaces(7).
 */
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD } from "../plan/index.ts";
import type { OciLinux, OciTimeOffset } from "../spec/index.ts";
import { NAMESPACE_KINDS } from "./kinds.ts";
import type { NamespaceRequest } from "./request.ts";

export type TimeOffsets = NonNullable<OciLinux["timeOffsets"]>;

/**
 * clone(2) cannot make a time namespace: the one who clones unshares it for its children before, and
 * sets its clocks while nobody is in it, which is the only time they can be set.
 * Throws INVALID_SPEC for offsets without a new time namespace or out of range.
 */
export function planNewTime(
  time: NamespaceRequest,
  offsets: TimeOffsets | undefined,
): readonly PlannedOp[] {
  const text = formatTimeOffsets(offsets ?? {});
  if (time.kind !== "new") {
    if (text === "") return [];
    throw new TsrunError("INVALID_SPEC", "linux.timeOffsets needs a new time namespace", {
      origin: "linux.timeOffsets",
      hint: `Add { "type": "time" } to linux.namespaces; a joined one has its offsets already.`,
    });
  }
  const unshare: PlannedOp = {
    op: { kind: "unshare", flags: NAMESPACE_KINDS.time.flag },
    phase: "host",
    origin: time.origin,
  };
  if (text === "") return [unshare];
  return [
    unshare,
    {
      op: {
        kind: "writeFile",
        path: "/proc/self/timens_offsets",
        data: text,
        dir: SLOT_CWD,
        flags: 0,
      },
      phase: "host",
      origin: "linux.timeOffsets",
      hint: "No clock of the container may be negative or near its end; see time_namespaces(7).",
    },
  ];
}

/** The text of /proc/PID/timens_offsets: "CLOCK SECONDS NANOSECONDS" a line, "" for no offset. */
function formatTimeOffsets(offsets: TimeOffsets): string {
  const clocks = ["monotonic", "boottime"] as const;
  return clocks
    .map((clock) => {
      const offset = offsets[clock];
      return offset ? formatTimeOffset(clock, offset) : "";
    })
    .join("");
}

function formatTimeOffset(clock: string, { secs = 0, nanosecs = 0 }: OciTimeOffset): string {
  const origin = `linux.timeOffsets.${clock}`;
  if (!Number.isSafeInteger(secs)) {
    throw new TsrunError("INVALID_SPEC", `${origin}.secs is ${secs}, not a whole number`, {
      origin,
    });
  }
  if (!Number.isInteger(nanosecs) || nanosecs < 0 || nanosecs > 999_999_999) {
    const message = `${origin}.nanosecs is ${nanosecs}, it must be from 0 to 999999999`;
    throw new TsrunError("INVALID_SPEC", message, {
      origin,
      hint: "A negative offset is negative in secs: -0.5 s is secs -1, nanosecs 500000000.",
    });
  }
  return `${clock} ${secs} ${nanosecs}\n`;
}
