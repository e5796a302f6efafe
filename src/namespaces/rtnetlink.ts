/**
 * rtnetlink(7) messages as bytes: include/uapi/linux/{netlink,rtnetlink,if_link,if_addr}.h. All integers
 * are the host's, which is little endian on both architectures that tsrun runs on.
 */

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE = 0x400;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const HEADER_SIZE = 16;
const IFINFO_SIZE = 16;
const IFADDR_SIZE = 8;
const ATTRIBUTE_HEADER = 4;
const IFF_UP = 1;

const IFLA = { IFNAME: 3, NET_NS_PID: 19, NET_NS_FD: 28 } as const;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 } as const;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;

/** Byte offset of the interface's index in ifinfomsg, and in ifaddrmsg: the same. */
export const INDEX_AT = HEADER_SIZE + 4;

/** Moves the interface, whose index goes to INDEX_AT, and names it there. */
export function encodeMove(
  name: string,
  netns: "pid" | "fd",
): { readonly message: Uint8Array; readonly netnsAt: number } {
  const type = netns === "pid" ? IFLA.NET_NS_PID : IFLA.NET_NS_FD;
  const message = encode(RTM_NEWLINK, 0, new Uint8Array(IFINFO_SIZE), [
    [type, new Uint8Array(4)],
    [IFLA.IFNAME, Buffer.from(`${name}\0`)],
  ]);
  return { message, netnsAt: HEADER_SIZE + IFINFO_SIZE + ATTRIBUTE_HEADER };
}

/** Brings the interface up. */
export function encodeUp(): Uint8Array {
  const body = new DataView(new ArrayBuffer(IFINFO_SIZE));
  body.setUint32(8, IFF_UP, true); // ifi_flags
  body.setUint32(12, IFF_UP, true); // ifi_change
  return encode(RTM_NEWLINK, 0, new Uint8Array(body.buffer), []);
}

/** An address of an interface. */
export interface InterfaceAddress {
  readonly index: number;
  /** AF_INET or AF_INET6. */
  readonly family: number;
  readonly prefixLength: number;
  readonly address: Uint8Array;
  /** On a point-to-point interface the address is the peer's, and this is its own. */
  readonly local?: Uint8Array;
  readonly broadcast?: Uint8Array;
}

export function encodeAddress(found: InterfaceAddress): Uint8Array {
  const body = new Uint8Array(IFADDR_SIZE);
  body[0] = found.family;
  body[1] = found.prefixLength;
  body[2] = IFA_F_PERMANENT;
  body[3] = RT_SCOPE_UNIVERSE;
  const attributes: [number, Uint8Array][] = [[IFA.ADDRESS, found.address]];
  if (found.local) attributes.push([IFA.LOCAL, found.local]);
  if (found.broadcast) attributes.push([IFA.BROADCAST, found.broadcast]);
  return encode(RTM_NEWADDR, NLM_F_CREATE, body, attributes);
}

/**
 * One answer to RTM_GETADDR, or undefined for an address that does not move with its interface: one
 * that was not given to it for good, or that means something on its link only.
 */
export function parseAddress(message: Uint8Array): InterfaceAddress | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const [family = 0, prefixLength = 0, flags = 0, scope = 0] = message;
  if (scope !== RT_SCOPE_UNIVERSE || (flags & IFA_F_PERMANENT) === 0) return undefined;
  const attributes = readAttributes(message, IFADDR_SIZE);
  const address = attributes.get(IFA.ADDRESS);
  if (!address) return undefined;
  const [local, broadcast] = [attributes.get(IFA.LOCAL), attributes.get(IFA.BROADCAST)];
  return {
    index: view.getUint32(4, true),
    family,
    prefixLength,
    address,
    ...(local ? { local } : {}),
    ...(broadcast ? { broadcast } : {}),
  };
}

/** One answer to RTM_GETLINK: an interface's name and index. */
export function parseLink(message: Uint8Array): readonly [name: string, index: number] {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const name = readAttributes(message, IFINFO_SIZE).get(IFLA.IFNAME) ?? new Uint8Array(1);
  return [Buffer.from(name).toString("latin1").replace(/\0.*$/s, ""), view.getUint32(4, true)];
}

function readAttributes(message: Uint8Array, from: number): ReadonlyMap<number, Uint8Array> {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const attributes = new Map<number, Uint8Array>();
  for (let at = from; at + ATTRIBUTE_HEADER <= message.length; ) {
    const size = view.getUint16(at, true);
    if (size < ATTRIBUTE_HEADER) break;
    attributes.set(view.getUint16(at + 2, true), message.slice(at + ATTRIBUTE_HEADER, at + size));
    at += align(size);
  }
  return attributes;
}

function encode(
  type: number,
  flags: number,
  body: Uint8Array,
  attributes: readonly (readonly [type: number, value: Uint8Array])[],
): Uint8Array {
  const size = attributes.reduce(
    (sum, [, value]) => sum + align(ATTRIBUTE_HEADER + value.length),
    HEADER_SIZE + body.length,
  );
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true);
  bytes.set(body, HEADER_SIZE);
  let at = HEADER_SIZE + body.length;
  for (const [attribute, value] of attributes) {
    view.setUint16(at, ATTRIBUTE_HEADER + value.length, true);
    view.setUint16(at + 2, attribute, true);
    bytes.set(value, at + ATTRIBUTE_HEADER);
    at += align(ATTRIBUTE_HEADER + value.length);
  }
  return bytes;
}

function align(size: number): number {
  return (size + 3) & ~3;
}
