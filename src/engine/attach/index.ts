/**
 * Talking to a running container through its supervisor: its stdio as streams, its window size, its exit,
 * and the keys that leave a terminal. It starts and stops nothing and knows no terminal of its own; raw
 * mode and signals are the caller's. Start reading in stream.ts; the bytes are in protocol.ts.
 */
export { connectAttach } from "./connect.ts";
export {
  type DetachKeys,
  DetachScanner,
  parseDetachKeys,
  type ScannedInput,
} from "./detach-keys.ts";
export type { WindowSize } from "./protocol.ts";
export { type AttachEnd, type AttachStream, attachTo } from "./stream.ts";
