/**
 * A LaunchPlan as the bytes that native/plan.c reads: header, ops, blob.
 */
import { TsrunError } from "../base/errors.ts";
import {
  HEADER,
  HEADER_SIZE,
  NO_OP,
  OP,
  OP_FLAG_WARN,
  OP_SIZE,
  PHASES,
  PLAN_FLAGS,
  PLAN_MAGIC,
  PLAN_VERSION,
  RELAY,
  SLOT_COUNT,
} from "./abi.ts";
import { Blob } from "./blob.ts";
import type { ExecLists, Op } from "./ops.ts";
import {
  type LaunchPlan,
  type PlannedOp,
  type RelayPlan,
  TOLERATED_ERRNOS,
  type ToleratedErrno,
} from "./plan.ts";
import { WIRE } from "./wire.ts";

/** Throws INVALID_SPEC, naming the op's origin, for an operand that the wire format cannot carry. */
export function encodePlan(plan: LaunchPlan): Uint8Array {
  const blob = new Blob();
  const ops = new DataView(new ArrayBuffer(plan.ops.length * OP_SIZE));
  let at = 0;
  for (const planned of plan.ops) {
    try {
      encodeOp(ops, at, planned, blob);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new TsrunError("INVALID_SPEC", `${planned.origin}: ${error.message}`, {
        origin: planned.origin,
        cause: error,
      });
    }
    at += OP_SIZE;
  }
  const header = new DataView(new ArrayBuffer(HEADER_SIZE));
  encodeRelay(header, HEADER.relay, plan.supervision.relay, blob);
  const blobBytes = blob.finish();
  encodeHeader(header, plan, blobBytes.length);

  const bytes = new Uint8Array(HEADER_SIZE + ops.byteLength + blobBytes.length);
  bytes.set(new Uint8Array(header.buffer), 0);
  bytes.set(new Uint8Array(ops.buffer), HEADER_SIZE);
  bytes.set(blobBytes, HEADER_SIZE + ops.byteLength);
  return bytes;
}

function encodeHeader(view: DataView, plan: LaunchPlan, blobSize: number): void {
  const opsSize = plan.ops.length * OP_SIZE;
  view.setUint32(HEADER.magic, PLAN_MAGIC, true);
  view.setUint16(HEADER.version, PLAN_VERSION, true);
  view.setUint16(HEADER.headerSize, HEADER_SIZE, true);
  view.setUint32(HEADER.totalSize, HEADER_SIZE + opsSize + blobSize, true);
  view.setUint32(HEADER.flags, planFlags(plan), true);
  view.setUint32(HEADER.opCount, plan.ops.length, true);
  view.setUint32(HEADER.opsOffset, HEADER_SIZE, true);
  view.setUint32(HEADER.blobOffset, HEADER_SIZE + opsSize, true);
  view.setUint32(HEADER.blobSize, blobSize, true);
  view.setBigUint64(HEADER.cloneFlags, BigInt(plan.cloneFlags), true);
  view.setInt32(HEADER.cgroupSlot, plan.cgroupSlot, true);
  view.setUint32(HEADER.inheritedFds, plan.inheritedFds, true);
  view.setUint32(HEADER.faultOp, plan.fault?.op ?? NO_OP, true);
  view.setUint32(HEADER.faultPid, plan.fault?.pid ?? 0, true);
}

function planFlags({ supervision }: LaunchPlan): number {
  const { relay } = supervision;
  const flags: readonly (readonly [boolean, number])[] = [
    [supervision.daemon, PLAN_FLAGS.daemon],
    [supervision.dieWithParent, PLAN_FLAGS.dieWithParent],
    [supervision.childDiesWithStage, PLAN_FLAGS.childDiesWithStage],
    [supervision.holdMounts, PLAN_FLAGS.holdMounts],
    [supervision.timings, PLAN_FLAGS.timings],
    [supervision.leave === true, PLAN_FLAGS.leave],
    [relay !== undefined, PLAN_FLAGS.relay],
    [relay?.tty === true, PLAN_FLAGS.tty],
    [relay !== undefined && relay.stdin !== "closed", PLAN_FLAGS.stdin],
    [relay?.stdin === "once", PLAN_FLAGS.stdinOnce],
    [relay?.firstClient === true, PLAN_FLAGS.relayClient],
  ];
  return flags.reduce((sum, [set, flag]) => (set ? sum | flag : sum), 0);
}

function encodeRelay(view: DataView, at: number, relay: RelayPlan | undefined, blob: Blob): void {
  if (!relay) return;
  const string = (field: number, text: string | undefined) =>
    view.setUint32(at + field, text ? blob.string(text) : 0, true);
  string(RELAY.logPath, relay.log?.path);
  view.setUint32(at + RELAY.logMaxFiles, relay.log?.maxFiles ?? 0, true);
  view.setBigUint64(at + RELAY.logMaxSize, BigInt(relay.log?.maxSizeBytes ?? 0), true);
  string(RELAY.socketDir, relay.socket?.dir);
  string(RELAY.socketName, relay.socket?.name);
  string(RELAY.exitPath, relay.exitRecordPath);
  string(RELAY.journalPath, relay.journal?.path);
  string(RELAY.journalHead, relay.journal?.head);
  string(RELAY.memoryEvents, relay.memoryEventsPath);
  const exitCommand = relay.exitCommand ? blob.data(encodeLists(relay.exitCommand, blob)) : 0;
  view.setUint32(at + RELAY.exitCommand, exitCommand, true);
  view.setUint16(at + RELAY.rows, relay.rows, true);
  view.setUint16(at + RELAY.cols, relay.cols, true);
  view.setUint32(at + RELAY.exitDrainMs, relay.exitDrainMs, true);
}

// This runs for each of the 300 ops of a launch: no iterators, and no BigInt where a number will do.
function encodeOp(view: DataView, at: number, planned: PlannedOp, blob: Blob): void {
  const { op, tolerate = NONE } = planned;
  const { code, num = NONE, str = NONE, data } = FORMS[op.kind];
  const fields = op as unknown as Readonly<Record<string, unknown>>;
  view.setUint16(at + OP.kind, code, true);
  view.setUint8(at + OP.phase, PHASES[planned.phase]);
  if (planned.warning !== undefined) view.setUint8(at + OP.flags, OP_FLAG_WARN);
  if (planned.skipOk !== undefined) view.setUint8(at + OP.skipOk, planned.skipOk);
  if (planned.skipFailed !== undefined) view.setUint8(at + OP.skipFailed, planned.skipFailed);
  if (tolerate.length > 2) throw new RangeError("an op tolerates at most two errnos");
  for (let index = 0; index < tolerate.length; index += 1) {
    const errno = tolerate[index] as ToleratedErrno;
    view.setUint16(at + OP.tolerate + 2 * index, TOLERATED_ERRNOS[errno], true);
  }
  for (let index = 0; index < num.length; index += 1) {
    encodeNumber(view, at + OP.num + 8 * index, fields, num[index] as Place);
  }
  for (let index = 0; index < str.length; index += 1) {
    const text = fields[str[index] as string] as string;
    view.setUint32(at + OP.str + 4 * index, blob.string(text), true);
  }
  if (data === undefined) return;
  const bytes = operandBytes(op, fields[data], blob);
  view.setUint32(at + OP.dataSize, bytes.length, true);
  view.setUint32(at + OP.str + 4 * 3, blob.data(bytes), true);
}

const NONE: readonly never[] = [];

type Place = string | { readonly low: string; readonly high: string; readonly lowPlus?: number };

/** The same for every kind, so that one function can read them all. */
interface Form {
  readonly code: number;
  readonly num?: readonly Place[];
  readonly str?: readonly string[];
  readonly data?: string;
}

const FORMS = WIRE as Readonly<Record<Op["kind"], Form>>;

function encodeNumber(
  view: DataView,
  at: number,
  fields: Readonly<Record<string, unknown>>,
  place: Place,
): void {
  if (typeof place !== "string") {
    const low = (fields[place.low] as number) + (place.lowPlus ?? 0);
    const high = fields[place.high] as number;
    view.setUint32(at, low, true); // setUint32 takes its argument modulo 2^32
    view.setUint32(at + 4, high, true);
    return;
  }
  const operand = fields[place];
  const value = typeof operand === "boolean" ? Number(operand) : (operand as number | bigint);
  if (isSlotField(place) && (value as number) >= SLOT_COUNT) {
    throw new RangeError(`a launch can hold at most ${SLOT_COUNT} open descriptors`);
  }
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
    view.setInt32(at, value, true);
    if (value < 0) view.setInt32(at + 4, -1, true);
  } else {
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
}

const SLOT_FIELDS = new Set([
  "dir",
  "out",
  "slot",
  "prog",
  "target",
  "at",
  "from",
  "to",
  "fs",
  "valueSlot",
  "root",
  "userns",
  "listener",
  "netns",
  "keep",
  "keepToo",
  "devpts",
  "slave",
  "socket",
  "start",
  "result",
]);

function isSlotField(name: string): boolean {
  return SLOT_FIELDS.has(name);
}

function operandBytes(op: Op, value: unknown, blob: Blob): Uint8Array {
  if (op.kind === "exec") return encodeLists(op.lists, blob);
  if (op.kind === "setgroups") return uint32s(op.gids);
  return typeof value === "string" ? Buffer.from(value) : (value as Uint8Array);
}

function encodeLists({ argv, env, candidates }: ExecLists, blob: Blob): Uint8Array {
  const offsets = [...argv, ...env, ...candidates].map((text) => blob.string(text));
  return uint32s([argv.length, env.length, candidates.length, ...offsets]);
}

function uint32s(values: readonly number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(values.length * 4));
  for (const [index, value] of values.entries()) bytes.setUint32(index * 4, value, true);
  return new Uint8Array(bytes.buffer);
}
