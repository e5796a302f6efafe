/**
 * Reading what the supervisor logged of a container: by time, by number of lines, from the end, and
 * while it is written, through rotations. It writes nothing: native/log.c does. Start reading in read.ts;
 * a record's shape is in cri.ts.
 */
export type { LogRecord } from "./cri.ts";
export { LogFormatter } from "./format.ts";
export { type FollowOptions, type ReadLogsOptions, readLogBatches, readLogs } from "./read.ts";
export { parseLogTime } from "./time.ts";
