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
import { type LaunchPlan, type PlannedOp, type RelayPlan, TOLERATED_ERRNOS } from "./plan.ts";
import { WIRE } from "./wire.ts";

/** Throws INVALID_SPEC, naming the op's origin, for an operand that the wire format cannot carry. */
export function encodePlan(plan: LaunchPlan): Uint8Array {
  const blob = new Blob();
  const ops = new DataView(new ArrayBuffer(plan.ops.length * OP_SIZE));
  for (const [index, planned] of plan.ops.entries()) {
    try {
      encodeOp(ops, index * OP_SIZE, planned, blob);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new TsrunError("INVALID_SPEC", `${planned.origin}: ${error.message}`, {
        origin: planned.origin,
        cause: error,
      });
    }
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

function encodeOp(view: DataView, at: number, planned: PlannedOp, blob: Blob): void {
  const { op } = planned;
  const form = WIRE[op.kind] as {
    readonly code: number;
    readonly num?: readonly Place[];
    readonly str?: readonly string[];
    readonly data?: string;
  };
  const fields = op as unknown as Readonly<Record<string, unknown>>;
  view.setUint16(at + OP.kind, form.code, true);
  view.setUint8(at + OP.phase, PHASES[planned.phase]);
  view.setUint8(at + OP.flags, planned.warning === undefined ? 0 : OP_FLAG_WARN);
  view.setUint8(at + OP.skipOk, planned.skipOk ?? 0);
  view.setUint8(at + OP.skipFailed, planned.skipFailed ?? 0);
  for (const [index, errno] of (planned.tolerate ?? []).entries()) {
    if (index > 1) throw new RangeError("an op tolerates at most two errnos");
    view.setUint16(at + OP.tolerate + 2 * index, TOLERATED_ERRNOS[errno], true);
  }
  for (const [index, place] of (form.num ?? []).entries()) {
    view.setBigUint64(at + OP.num + 8 * index, encodeNumber(fields, place), true);
  }
  for (const [index, name] of (form.str ?? []).entries()) {
    view.setUint32(at + OP.str + 4 * index, blob.string(fields[name] as string), true);
  }
  if (form.data === undefined) return;
  const data = operandBytes(op, fields[form.data], blob);
  view.setUint32(at + OP.dataSize, data.length, true);
  view.setUint32(at + OP.str + 4 * 3, blob.data(data), true);
}

type Place = string | { readonly low: string; readonly high: string; readonly lowPlus?: number };

function encodeNumber(fields: Readonly<Record<string, unknown>>, place: Place): bigint {
  if (typeof place === "string") {
    const value = fields[place] as number | bigint;
    if (isSlotField(place) && Number(value) >= SLOT_COUNT) {
      throw new RangeError(`a launch can hold at most ${SLOT_COUNT} open descriptors`);
    }
    return BigInt.asUintN(64, BigInt(value));
  }
  const low = BigInt((fields[place.low] as number) + (place.lowPlus ?? 0));
  const high = BigInt(fields[place.high] as number);
  return (BigInt.asUintN(32, high) << 32n) | BigInt.asUintN(32, low);
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
  "devpts",
  "slave",
]);

function isSlotField(name: string): boolean {
  return SLOT_FIELDS.has(name);
}

function operandBytes(op: Op, value: unknown, blob: Blob): Uint8Array {
  if (op.kind === "exec") return encodeLists(op.lists, blob);
  if (op.kind === "setgroups") return uint32s(op.gids);
  return typeof value === "string" ? new TextEncoder().encode(value) : (value as Uint8Array);
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
