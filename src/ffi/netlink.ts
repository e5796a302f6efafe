/**
 * Questions to the network, rtnetlink(7). An answer is many messages; nothing is changed from here.
 */
import { closeSync } from "node:fs";
import { KernelError } from "./kernel-error.ts";
import { syscall } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const HEADER_SIZE = 16;
const BUFFER_SIZE = 64 * 1024;

/**
 * What the caller's network namespace answers to a dump request of this type, message by message,
 * without their headers. The kernel has the whole answer ready: it does not wait.
 */
export function netlinkDump(type: number, body: Uint8Array): readonly Uint8Array[] {
  const fd = syscall("socket", "rtnetlink", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  try {
    const request = new DataView(new ArrayBuffer(HEADER_SIZE + body.length));
    request.setUint32(0, request.byteLength, true);
    request.setUint16(4, type, true);
    request.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
    new Uint8Array(request.buffer).set(body, HEADER_SIZE);
    const bytes = new Uint8Array(request.buffer);
    syscall("sendto", "rtnetlink", fd, bytes, bytes.length, 0, null, 0);
    const messages: Uint8Array[] = [];
    while (takeMessages(receive(fd), messages));
    return messages;
  } finally {
    closeSync(fd);
  }
}

function receive(fd: number): Uint8Array {
  const buffer = new Uint8Array(BUFFER_SIZE);
  const size = syscall("recvfrom", "rtnetlink", fd, buffer, buffer.length, 0, null, null);
  return buffer.subarray(0, size);
}

/** False when the answer is complete. */
function takeMessages(bytes: Uint8Array, messages: Uint8Array[]): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const size = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (type === NLMSG_DONE || size < HEADER_SIZE) return false;
    if (type === NLMSG_ERROR) {
      throw new KernelError("rtnetlink", -view.getInt32(at + HEADER_SIZE, true), "dump");
    }
    messages.push(bytes.subarray(at + HEADER_SIZE, at + size));
    at += (size + 3) & ~3;
  }
  return bytes.length > 0;
}
