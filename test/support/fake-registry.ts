/**
 * A registry in memory, on loopback, that can be told to misbehave: each request passes a hook that may
 * answer in its stead. What it holds are images made of tar members.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync, zstdCompressSync } from "node:zlib";
import tar from "tar-stream";

export interface Member {
  readonly name: string;
  readonly type?: "file" | "directory" | "symlink" | "link";
  readonly body?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkname?: string;
}

export type Hook = (
  request: IncomingMessage,
  response: ServerResponse,
  registry: FakeRegistry,
) => boolean | undefined;

export interface PublishedImage {
  readonly digest: string;
  readonly manifest: Buffer;
  readonly configDigest: string;
  /** The layers' blobs, the lowest first. */
  readonly layers: readonly string[];
  readonly diffIds: readonly string[];
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { body = "", ...header } of members) {
    pack.entry({ mtime: new Date(1_700_000_000_000), ...header }, body as string);
  }
  pack.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of pack as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export class FakeRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  /** "METHOD /path", in order. */
  readonly requests: string[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  hook: Hook = () => undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(tls?: { readonly key: string; readonly cert: string }): Promise<FakeRegistry> {
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      registry.#serve(request, response);
    };
    const server = tls ? createTlsServer(tls, handle) : createServer(handle);
    const registry = new FakeRegistry(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return registry;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Requests for blobs, by digest. */
  blobRequests(digest: string): number {
    return this.requests.filter((line) => line.startsWith("GET") && line.endsWith(digest)).length;
  }

  put(bytes: Buffer): string {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  async publish(
    name: string,
    layers: readonly (readonly Member[] | Buffer)[],
    {
      config = {},
      compress = gzipSync as (bytes: Buffer) => Buffer,
      mediaType = "application/vnd.oci.image.layer.v1.tar+gzip",
      architecture = process.arch === "arm64" ? "arm64" : "amd64",
    } = {},
  ): Promise<PublishedImage> {
    const tars = await Promise.all(
      layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tarOf(layer))),
    );
    const packed = tars.map((bytes) => compress(bytes));
    const diffIds = tars.map(digestOf);
    const configBytes = Buffer.from(
      JSON.stringify({
        architecture,
        os: "linux",
        config,
        rootfs: { type: "layers", diff_ids: diffIds },
      }),
    );
    const configDigest = this.put(configBytes);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: {
          mediaType: "application/vnd.oci.image.config.v1+json",
          digest: configDigest,
          size: configBytes.length,
        },
        layers: packed.map((bytes) => ({ mediaType, digest: this.put(bytes), size: bytes.length })),
      }),
    );
    const digest = this.putManifest(name, manifest, OCI_MANIFEST);
    return { digest, manifest, configDigest, layers: packed.map(digestOf), diffIds };
  }

  putManifest(name: string, bytes: Buffer, type: string): string {
    const digest = digestOf(bytes);
    const repository = name.replace(/:[^:/]*$/, "");
    this.manifests.set(name, { type, bytes });
    this.manifests.set(`${repository}:${digest}`, { type, bytes });
    return digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { method = "GET", url = "/" } = request;
    this.requests.push(`${method} ${url}`);
    this.headers.push(request.headers);
    if (this.hook(request, response, this)) return;
    const [, repository = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(url) ?? [];
    if (url === "/v2/") response.end("{}");
    else if (kind === "manifests") this.#serveManifest(`${repository}:${reference}`, response);
    else if (kind === "blobs") this.serveBlob(reference, request, response);
    else response.writeHead(404).end();
  }

  #serveManifest(name: string, response: ServerResponse): void {
    const found = this.manifests.get(name);
    if (!found) {
      response
        .writeHead(404)
        .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    response.writeHead(200, { "content-type": found.type, "content-length": found.bytes.length });
    response.end(found.bytes);
  }

  serveBlob(digest: string, request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.blobs.get(digest);
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? -1);
    if (start < 0) {
      response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      return;
    }
    response.writeHead(206, {
      "content-length": bytes.length - start,
      "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    });
    response.end(bytes.subarray(start));
  }
}

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

export function zstd(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes);
}
