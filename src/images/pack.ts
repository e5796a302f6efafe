/**
 * A directory as a tar stream: the same directory gives the same bytes, so that it gives the same
 * layer. Names in byte order, hard links found by inode, attributes and nanoseconds as PAX records.
 */
import { once } from "node:events";
import { closeSync, constants, createReadStream, openSync, readdirSync, readSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Pack } from "tar-stream";
import { hasErrno } from "../base/errors.ts";
import { openInRoot, openRoot, statx } from "../ffi/index.ts";
import { readOverlayMark } from "./overlay-marks.ts";
import { describeMember, describeWhiteout, memberType, type PackedFile } from "./pack-header.ts";
import { drained, fromBytes, isFull, packBytes, type TarHeader } from "./tar-bytes.ts";
import { OPAQUE_MARK, WHITEOUT_PREFIX } from "./whiteouts.ts";

const { O_NOFOLLOW, O_RDONLY } = constants;
const O_PATH = 0o10000000;

export interface PackOptions {
  /** Nanoseconds since the epoch: what every member's time is, instead of its file's. */
  readonly mtimeNs?: bigint;
  /** Told of each file that an archive cannot hold; without it such files are left out in silence. */
  readonly warn?: (message: string) => void;
  /** Whether a file is packed, by its path, which has one character a byte; directories always are. */
  readonly includes?: (path: string) => boolean;
}

/** The stream fails with Node's error of the first file that cannot be read. Sockets are left out. */
export function packDirectory(path: string, options?: PackOptions): Readable {
  return packBelow(openRoot(path), { path: "", name: "" }, options);
}

/**
 * What an overlay's upper changes in the layers below it, as a layer of an image: whiteouts and opaque
 * directories in the OCI form (image-spec layer.md), the overlay's own attributes left out. Only the
 * upper is read. A container may be writing to it: what goes meanwhile is left out, and a file that
 * shrinks is filled up with zeros. Fails with OVERLAY_UNSUPPORTED for an upper that says too little.
 */
export function packUpper(path: string, options?: PackOptions): Readable {
  return start(openRoot(path), { path: "", name: "" }, { ...options, isUpper: true });
}

/**
 * One file, or a directory with all that is in it, below a root that is not trusted: `path` is resolved
 * in it, and the members are called `name` and `name/…`. Takes the root's descriptor and closes it.
 */
export function packBelow(
  root: number,
  { path, name }: { readonly path: string; readonly name: string },
  options?: PackOptions,
): Readable {
  return start(root, { path, name }, { ...options, isUpper: false });
}

interface HowToPack extends PackOptions {
  readonly isUpper: boolean;
}

function start(
  root: number,
  { path, name }: { readonly path: string; readonly name: string },
  how: HowToPack,
): Readable {
  const pack = packBytes();
  const first = { path: fromBytes(Buffer.from(path)), name: fromBytes(Buffer.from(name)) };
  void new Packing(pack, root, how).run(first);
  return pack as unknown as Readable;
}

function below(directory: string, child: string): string {
  return directory === "" ? child : `${directory}/${child}`;
}

/** Contents up to this size are read at once. */
const SMALL_BYTES = 256 * 1024;

class Packing {
  readonly #pack: Pack;
  readonly #root: number;
  readonly #how: HowToPack;
  readonly #linked = new Map<string, string>();

  constructor(pack: Pack, root: number, how: HowToPack) {
    this.#pack = pack;
    this.#root = root;
    this.#how = how;
  }

  /** Both with one character a byte. */
  async run({ path, name }: { readonly path: string; readonly name: string }): Promise<void> {
    try {
      const fd = this.#open(path);
      await this.#add(fd, path, name);
      this.#pack.finalize();
    } catch (error) {
      this.#pack.destroy(error as Error);
    } finally {
      closeSync(this.#root);
    }
  }

  #open(path: string): number {
    const bytes = Buffer.from(path, "latin1");
    return openInRoot(this.#root, bytes, { flags: O_PATH | O_NOFOLLOW });
  }

  /** Closes the descriptor. */
  async #add(fd: number, path: string, name: string): Promise<void> {
    try {
      const stat = statx(fd, "");
      const type = memberType(stat);
      if (type !== "directory" && this.#how.includes?.(path) === false) return;
      const mark = this.#how.isUpper ? readOverlayMark(fd, stat, path) : undefined;
      if (mark === "whiteout") {
        await this.#addHidden(name);
        return;
      }
      if (type === undefined) {
        this.#how.warn?.(`the socket "${shown(path)}" is left out: an archive cannot hold it`);
        return;
      }
      await this.#addEntry({ path, name, type, stat, fd, root: this.#root });
      if (mark === "opaque") await this.#write(describeWhiteout(below(name, OPAQUE_MARK)));
      if (type === "directory") await this.#addChildren(fd, path, name);
    } finally {
      closeSync(fd);
    }
  }

  async #addHidden(name: string): Promise<void> {
    const slash = name.lastIndexOf("/") + 1;
    const hidden = `${name.slice(0, slash)}${WHITEOUT_PREFIX}${name.slice(slash)}`;
    await this.#write(describeWhiteout(hidden));
  }

  async #addChildren(fd: number, path: string, name: string): Promise<void> {
    const children = readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
    for (const child of children.sort(Buffer.compare).map(fromBytes)) {
      if (this.#how.isUpper && child.startsWith(WHITEOUT_PREFIX)) {
        // In a layer it would hide another file.
        this.#how.warn?.(
          `"${shown(below(path, child))}" is left out: a layer cannot hold that name`,
        );
        continue;
      }
      const childFd = this.#openIfThere(below(path, child));
      if (childFd !== undefined) await this.#add(childFd, below(path, child), below(name, child));
    }
  }

  /** undefined for what a running container has removed since the directory was read. */
  #openIfThere(path: string): number | undefined {
    try {
      return this.#open(path);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  async #addEntry(file: PackedFile): Promise<void> {
    const { name, type, stat } = file;
    const header = describeMember(file, this.#how.mtimeNs);
    const isLinked = type !== "directory" && stat.nlink > 1;
    const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = isLinked ? this.#linked.get(inode) : undefined;
    if (first !== undefined) {
      await this.#write({ ...header, type: "link", linkname: first, size: 0 });
      return;
    }
    if (isLinked) this.#linked.set(inode, name);
    if (type === "file" && stat.size > 0n) await this.#writeFile(header, file);
    else await this.#write(header);
  }

  async #write(header: TarHeader): Promise<void> {
    const { entry, packed } = this.#begin(header);
    entry.end();
    await packed;
    if (isFull(this.#pack)) await drained(this.#pack);
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

  async #writeFile(header: TarHeader, { path, fd, stat }: PackedFile): Promise<void> {
    const { entry, packed } = this.#begin(header);
    const size = Number(stat.size);
    let written = 0;
    const write = async (chunk: Uint8Array) => {
      written += chunk.length;
      if (!entry.write(chunk)) await once(entry, "drain");
    };
    for await (const chunk of readContents(fd, size)) await write(chunk);
    if (written < size) {
      this.#how.warn?.(`"${shown(path)}" has become shorter while it was read: zeros fill it up`);
    }
    while (written < size) await write(Buffer.alloc(Math.min(SMALL_BYTES, size - written)));
    entry.end();
    await packed;
  }
}

/** For people. The path has one character a byte. */
function shown(path: string): string {
  return `/${Buffer.from(path, "latin1").toString()}`;
}

/** At most `size` bytes of the very file that is open: one that grows meanwhile is cut. */
async function* readContents(pathFd: number, size: number): AsyncGenerator<Uint8Array, void> {
  const fd = openSync(`/proc/self/fd/${pathFd}`, O_RDONLY);
  if (size <= SMALL_BYTES) yield readSmall(fd, size);
  else yield* createReadStream("", { fd, end: size - 1 }) as AsyncIterable<Uint8Array>;
}

/** Closes the descriptor. */
function readSmall(fd: number, size: number): Uint8Array {
  try {
    const buffer = Buffer.allocUnsafe(size);
    let at = 0;
    while (at < size) {
      const got = readSync(fd, buffer, at, size - at, at);
      if (got === 0) break;
      at += got;
    }
    return buffer.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}
