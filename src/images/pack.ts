/**
 * A directory as a tar stream: the same directory gives the same bytes, so that it gives the same
 * layer. Names in byte order, hard links found by inode, attributes and nanoseconds as PAX records.
 */
import { once } from "node:events";
import { closeSync, constants, createReadStream, readdirSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Pack } from "tar-stream";
import {
  getXattr,
  listXattrs,
  openInRoot,
  openRoot,
  readLinkInRoot,
  type Statx,
  statx,
} from "../ffi/index.ts";
import { fromBytes, packBytes, type TarHeader } from "./tar-bytes.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const O_PATH = 0o10000000;
const S_IFMT = 0o170000;

/** st_mode's file types. A Map: the formatter rewrites octal property names, and wrongly. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "character-device"],
  [0o060000, "block-device"],
  [0o010000, "fifo"],
]);

/** The stream fails with Node's error of the first file that cannot be read. Sockets are left out. */
export function packDirectory(path: string): Readable {
  return packBelow(openRoot(path), { path: "", name: "" });
}

/**
 * One file, or a directory with all that is in it, below a root that is not trusted: `path` is resolved
 * in it, and the members are called `name` and `name/…`. Takes the root's descriptor and closes it.
 */
export function packBelow(
  root: number,
  { path, name }: { readonly path: string; readonly name: string },
): Readable {
  const pack = packBytes();
  const start = { path: fromBytes(Buffer.from(path)), name: fromBytes(Buffer.from(name)) };
  void new Packing(pack, root, start).run();
  return pack as unknown as Readable;
}

function below(directory: string, child: string): string {
  return directory === "" ? child : `${directory}/${child}`;
}

class Packing {
  readonly #pack: Pack;
  readonly #root: number;
  readonly #start: { readonly path: string; readonly name: string };
  readonly #linked = new Map<string, string>();

  constructor(pack: Pack, root: number, start: { readonly path: string; readonly name: string }) {
    this.#pack = pack;
    this.#root = root;
    this.#start = start;
  }

  async run(): Promise<void> {
    try {
      await this.#add(this.#start.path, this.#start.name);
      this.#pack.finalize();
    } catch (error) {
      this.#pack.destroy(error as Error);
    } finally {
      closeSync(this.#root);
    }
  }

  /** Both have one character a byte. */
  async #add(path: string, name: string): Promise<void> {
    const bytes = Buffer.from(path, "latin1");
    const fd = openInRoot(this.#root, bytes, { flags: O_PATH | O_NOFOLLOW });
    try {
      const stat = statx(fd, "");
      const type = TYPES.get(stat.mode & S_IFMT);
      if (type === undefined) return;
      await this.#addEntry({ path, name, type, stat, fd, root: this.#root });
      if (type !== "directory") return;
      const children = readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
      for (const child of children.sort(Buffer.compare).map(fromBytes)) {
        await this.#add(below(path, child), below(name, child));
      }
    } finally {
      closeSync(fd);
    }
  }

  async #addEntry(found: Found): Promise<void> {
    const { path, name, type, stat } = found;
    const header = describe(found);
    const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = type === "file" && stat.nlink > 1 ? this.#linked.get(inode) : undefined;
    if (first !== undefined) {
      await this.#write({ ...header, type: "link", linkname: first, size: 0 });
      return;
    }
    if (type === "file" && stat.nlink > 1) this.#linked.set(inode, name);
    if (type === "file" && stat.size > 0n) await this.#writeFile(header, path);
    else await this.#write(header);
  }

  async #write(header: TarHeader): Promise<void> {
    const { entry, packed } = this.#begin(header);
    entry.end();
    await packed;
  }

  #begin(header: TarHeader): { readonly entry: Writable; readonly packed: Promise<void> } {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry = this.#pack.entry(
      header as Parameters<Pack["entry"]>[0],
      (error?: Error | null) => (error ? reject(error) : resolve()),
    );
    const sink = entry as unknown as Writable;
    // A reader that has given up destroys the pack, and with it the member that is being written.
    sink.on("error", reject);
    promise.catch(() => undefined); // a file's writing fails first, and says so
    return { entry: sink, packed: promise };
  }

  async #writeFile(header: TarHeader, path: string): Promise<void> {
    // Somebody may have put a FIFO in its place meanwhile, whose opening would block.
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const fd = openInRoot(this.#root, Buffer.from(path, "latin1"), { flags });
    const { entry, packed } = this.#begin(header);
    const end = Math.max(0, (header.size ?? 0) - 1); // a file that grows meanwhile is cut
    for await (const chunk of createReadStream("", { fd, end })) {
      if (!entry.write(chunk)) await once(entry, "drain");
    }
    entry.end();
    await packed;
  }
}

interface Found {
  readonly path: string;
  /** What the member is called. */
  readonly name: string;
  readonly type: string;
  readonly stat: Statx;
  readonly fd: number;
  readonly root: number;
}

function describe({ path, name, type, stat, fd, root }: Found): TarHeader {
  return {
    name: name === "" ? "./" : type === "directory" ? `${name}/` : name,
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === "file" ? Number(stat.size) : 0,
    mtime: new Date(Number(stat.mtimeNs / 1_000_000n)),
    linkname:
      type === "symlink" ? fromBytes(readLinkInRoot(root, Buffer.from(path, "latin1"))) : null,
    devmajor: stat.rdevMajor,
    devminor: stat.rdevMinor,
    pax: paxRecords(type, stat, fd),
  };
}

const NS = 1_000_000_000n;
/** What an octal field of a ustar header holds. */
const MAX_USTAR_ID = 0o777_777;

function paxRecords(type: string, stat: Statx, fd: number): Record<string, string> | null {
  const pax: Record<string, string> = {};
  if (stat.mtimeNs % NS !== 0n || stat.mtimeNs < 0n) pax["mtime"] = formatTime(stat.mtimeNs);
  if (stat.uid > MAX_USTAR_ID) pax["uid"] = String(stat.uid);
  if (stat.gid > MAX_USTAR_ID) pax["gid"] = String(stat.gid);
  if (type !== "symlink") {
    const target = { path: `/proc/self/fd/${fd}`, follow: true };
    for (const name of [...listXattrs(target)].sort()) {
      const value = name.startsWith("trusted.overlay.") ? undefined : getXattr(target, name);
      if (value) pax[`SCHILY.xattr.${name}`] = fromBytes(value);
    }
  }
  return Object.keys(pax).length === 0 ? null : pax;
}

function formatTime(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  const fraction = (absolute % NS).toString().padStart(9, "0");
  return `${ns < 0n ? "-" : ""}${absolute / NS}.${fraction}`;
}
