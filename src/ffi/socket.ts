/**
 * Socket pairs, pipes, and descriptors that travel through a Unix socket.
 */
import { closeSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import { KernelError } from "./kernel-error.ts";
import { cString, syscall, withAddresses } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

/**
 * Two connected stream sockets, close-on-exec. Hand one to `new net.Socket({ fd })`, which makes it
 * non-blocking and closes it; the other goes to a child. socketpair(2).
 */
export function socketpair(): readonly [ours: number, theirs: number] {
  const fds = new Int32Array(2);
  const bytes = new Uint8Array(fds.buffer);
  syscall("socketpair", "AF_UNIX", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bytes);
  return [fds[0] ?? -1, fds[1] ?? -1];
}

/** sun_path with its NUL. */
const SUN_PATH_SIZE = 108;
const ENAMETOOLONG = 36;

/**
 * A stream socket connected to the one that listens at `path`, close-on-exec. It does not wait: a
 * listener whose queue is full is EAGAIN. Throws KernelError, ENAMETOOLONG for what unix(7) cannot name.
 */
export function connectUnix(path: string): number {
  return openUnix("connect", SOCK_STREAM, path);
}

/** As connectUnix, for datagrams. A path that begins with "@" is an abstract name. */
export function connectDatagram(path: string): number {
  return openUnix("connect", SOCK_DGRAM, path);
}

/** A datagram socket that receives at `path`, which it makes. Close-on-exec. */
export function bindDatagram(path: string): number {
  return openUnix("bind", SOCK_DGRAM, path);
}

function openUnix(call: "bind" | "connect", type: number, path: string): number {
  const name = path.startsWith("@") ? Buffer.from(`\0${path.slice(1)}`) : cString(path);
  if (name.length > SUN_PATH_SIZE) throw new KernelError(call, ENAMETOOLONG, path);
  const address = new Uint8Array(2 + name.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  const fd = syscall("socket", path, AF_UNIX, type | SOCK_CLOEXEC, 0);
  try {
    syscall(call, path, fd, address, address.length);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** A pipe, close-on-exec. pipe2(2). */
export function pipe2(
  options: { nonblock?: boolean } = {},
): readonly [read: number, write: number] {
  const fds = new Int32Array(2);
  const flags = O_CLOEXEC | (options.nonblock ? O_NONBLOCK : 0);
  syscall("pipe2", "", new Uint8Array(fds.buffer), flags);
  return [fds[0] ?? -1, fds[1] ?? -1];
}

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x8;
/** SCM_MAX_FD of the kernel: more in one message is EINVAL. */
const MAX_FDS = 253;

/** Byte offsets in struct msghdr and struct cmsghdr on 64-bit machines. */
const MSGHDR = {
  size: 56,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
} as const;
const CMSGHDR = { size: 16, length: 0, level: 8, type: 12 } as const;

/**
 * Sends `data` (at least one byte: a stream carries descriptors with a byte) and copies of `fds`.
 * Returns how many bytes were taken. Throws KernelError EAGAIN when the socket's buffer is full.
 * sendmsg(2), unix(7) SCM_RIGHTS.
 */
export function sendFds(socket: number, data: Uint8Array, fds: readonly number[]): number {
  if (data.length === 0 || fds.length > MAX_FDS) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      `cannot send ${fds.length} descriptors with ${data.length} bytes`,
    );
  }
  const control = new DataView(new ArrayBuffer(controlSize(fds.length)));
  control.setBigUint64(CMSGHDR.length, BigInt(CMSGHDR.size + 4 * fds.length), true);
  control.setInt32(CMSGHDR.level, SOL_SOCKET, true);
  control.setInt32(CMSGHDR.type, SCM_RIGHTS, true);
  for (const [index, fd] of fds.entries()) control.setInt32(CMSGHDR.size + 4 * index, fd, true);
  const controlBytes = fds.length === 0 ? new Uint8Array(0) : new Uint8Array(control.buffer);
  return withMessage(data, controlBytes, (message) =>
    syscall("sendmsg", socket, socket, message, MSG_NOSIGNAL | MSG_DONTWAIT),
  );
}

export interface ReceivedMessage {
  /** Empty at end of file. */
  readonly data: Uint8Array;
  /** Close-on-exec; the receiver closes them. */
  readonly fds: readonly number[];
}

/**
 * Receives up to `maxBytes` and the descriptors that came with them; undefined if nothing is there yet
 * (wait with waitReadable). Throws SYSTEM, and closes what did come, if more than `maxFds` were sent.
 * recvmsg(2), unix(7) SCM_RIGHTS.
 */
export function receiveFds(
  socket: number,
  { maxBytes = 4096, maxFds = 1 }: { maxBytes?: number; maxFds?: number } = {},
): ReceivedMessage | undefined {
  const data = new Uint8Array(maxBytes);
  const control = new Uint8Array(controlSize(maxFds));
  const received = withMessage(data, control, (message) => {
    const size = receive(socket, message);
    const view = new DataView(message.buffer);
    return {
      size,
      flags: view.getInt32(MSGHDR.flags, true),
      controlLength: Number(view.getBigUint64(MSGHDR.controlLength, true)),
    };
  });
  if (received.size === undefined) return undefined;
  const fds = parseRights(control.subarray(0, received.controlLength));
  // The padding of the control buffer can hold one descriptor more than was asked for.
  if ((received.flags & MSG_CTRUNC) !== 0 || fds.length > maxFds) {
    for (const fd of fds) closeSync(fd);
    throw new TsrunError("SYSTEM", `more than ${maxFds} descriptors arrived on socket ${socket}`);
  }
  return { data: data.subarray(0, received.size), fds };
}

function receive(socket: number, message: Uint8Array): number | undefined {
  try {
    return syscall("recvmsg", socket, socket, message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } catch (error) {
    if ((error as { errno?: unknown }).errno === "EAGAIN") return undefined;
    throw error;
  }
}

/** The descriptors in a received control buffer. cmsg(3). */
function parseRights(control: Uint8Array): readonly number[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  const fds: number[] = [];
  for (let at = 0; at + CMSGHDR.size <= control.length; ) {
    const length = Number(view.getBigUint64(at + CMSGHDR.length, true));
    if (length < CMSGHDR.size) break;
    const isRights =
      view.getInt32(at + CMSGHDR.level, true) === SOL_SOCKET &&
      view.getInt32(at + CMSGHDR.type, true) === SCM_RIGHTS;
    const end = Math.min(at + length, control.length);
    for (let fd = at + CMSGHDR.size; isRights && fd + 4 <= end; fd += 4) {
      fds.push(view.getInt32(fd, true));
    }
    at += align8(length);
  }
  return fds;
}

function withMessage<T>(
  data: Uint8Array,
  control: Uint8Array,
  call: (message: Uint8Array) => T,
): T {
  const iov = new DataView(new ArrayBuffer(16));
  const message = new DataView(new ArrayBuffer(MSGHDR.size));
  const iovBytes = new Uint8Array(iov.buffer);
  const messageBytes = new Uint8Array(message.buffer);
  return withAddresses([data, iovBytes, control], ([dataAt = 0n, iovAt = 0n, controlAt = 0n]) => {
    iov.setBigUint64(0, dataAt, true);
    iov.setBigUint64(8, BigInt(data.length), true);
    message.setBigUint64(MSGHDR.iov, iovAt, true);
    message.setBigUint64(MSGHDR.iovLength, 1n, true);
    message.setBigUint64(MSGHDR.control, control.length === 0 ? 0n : controlAt, true);
    message.setBigUint64(MSGHDR.controlLength, BigInt(control.length), true);
    return call(messageBytes);
  });
}

/** CMSG_SPACE: the header and the descriptors, each aligned to 8. */
function controlSize(fds: number): number {
  return CMSGHDR.size + align8(4 * fds);
}

function align8(size: number): number {
  return (size + 7) & ~7;
}
