/**
 * The numbers of native/plan.h. test/native/abi.test.ts compiles the header and compares the two.
 */

export const PLAN_MAGIC = 0x4e555254;
export const PLAN_VERSION = 1;

export const HEADER_SIZE = 128;
export const OP_SIZE = 64;
export const RELAY_SIZE = 56;
export const REPORT_SIZE = 24;
export const RELAY_FRAME_SIZE = 8;
export const RELAY_MAX_PAYLOAD = 8192;
export const SLOT_COUNT = 256;
export const NO_OP = 0xffff_ffff;

/** Descriptors that the stage is started with. */
export const STAGE_FDS = { plan: 3, control: 4, client: 5, inherited: 6 } as const;

export const PLAN_FLAGS = {
  daemon: 1 << 0,
  dieWithParent: 1 << 1,
  childDiesWithStage: 1 << 2,
  relay: 1 << 3,
  tty: 1 << 4,
  stdin: 1 << 5,
  stdinOnce: 1 << 6,
  relayClient: 1 << 7,
  holdMounts: 1 << 8,
  timings: 1 << 9,
  leave: 1 << 10,
} as const;

export const PHASES = { host: 0, parent: 1, child: 2, teardown: 3 } as const;
export type Phase = keyof typeof PHASES;

/** Byte offsets inside plan_header. */
export const HEADER = {
  magic: 0,
  version: 4,
  headerSize: 6,
  totalSize: 8,
  flags: 12,
  opCount: 16,
  opsOffset: 20,
  blobOffset: 24,
  blobSize: 28,
  cloneFlags: 32,
  cgroupSlot: 40,
  inheritedFds: 44,
  faultOp: 48,
  faultPid: 52,
  relay: 56,
} as const;

/** Byte offsets inside plan_relay. */
export const RELAY = {
  logPath: 0,
  logMaxFiles: 4,
  logMaxSize: 8,
  socketDir: 16,
  socketName: 20,
  exitPath: 24,
  journalPath: 28,
  journalHead: 32,
  memoryEvents: 36,
  exitCommand: 40,
  rows: 44,
  cols: 46,
  exitDrainMs: 48,
} as const;

/** Byte offsets inside plan_op. */
export const OP = {
  kind: 0,
  phase: 2,
  flags: 3,
  skipOk: 4,
  skipFailed: 5,
  tolerate: 6,
  dataSize: 12,
  num: 16,
  str: 48,
} as const;

export const OP_FLAG_WARN = 1;

/** Byte offsets inside report. */
export const REPORT = { kind: 0, opIndex: 4, error: 8, value: 12, timeNs: 16 } as const;

export const REPORT_KINDS = {
  failed: 1,
  warned: 2,
  created: 3,
  running: 4,
  exited: 5,
  phase: 6,
  supervisor: 7,
  waiting: 8,
} as const;
export type ReportKind = keyof typeof REPORT_KINDS;

/** REPORT_PHASE's op_index: the points in a launch whose time is reported. */
export const MARKS = { start: 0, host: 1, cloned: 2, child: 3, exec: 4, exit: 5 } as const;
export type Mark = keyof typeof MARKS;

export const CONTROL_GO = "G";

export const RELAY_TYPES = {
  stdout: 1,
  stderr: 2,
  exit: 3,
  busy: 4,
  stdin: 16,
  resize: 17,
  leave: 18,
} as const;

/** `si_code` of a child's end, waitid(2). */
export const CLD = { exited: 1, killed: 2, dumped: 3 } as const;
